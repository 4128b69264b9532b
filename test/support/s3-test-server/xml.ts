const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

/** An element that holds text. */
export function leaf(name: string, text: string | number | boolean): string {
  return `<${name}>${escaped(String(text))}</${name}>`;
}

/** An element that holds elements. */
export function node(name: string, children: readonly string[]): string {
  return `<${name}>${children.join("")}</${name}>`;
}

/** A whole answer. */
export function documentOf(name: string, children: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${NAMESPACE}">${children.join("")}</${name}>`;
}

/** What is between the tags of each element of this name, as it stands there. */
export function contentsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>(.*?)</${name}>`, "gs"))].map(
    ([, content = ""]) => content,
  );
}

/** The text of the first element of this name. */
export function textOf(xml: string, name: string): string | undefined {
  return contentsOf(xml, name)[0]?.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, entity) => {
    if (entity !== undefined) return ENTITIES[entity] ?? whole;
    return String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal === undefined ? 16 : 10));
  });
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function escaped(text: string): string {
  // Control characters too, though XML 1.0 has no way to write them: S3 does the same, and `encoding-type=url` is the cure.
  return text.replace(/[<>&"'\p{Cc}]/gu, (one) => `&#${one.charCodeAt(0)};`);
}
