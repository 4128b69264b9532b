/** How a browser is to treat a download: what clients ask for by `x-filename` and `x-disposition` in a batch. */
export interface DownloadName {
  readonly filename?: string;
  readonly disposition?: "attachment" | "inline";
}

/** Longer names are cut: most file systems take no more bytes. */
const LONGEST = 255;
const CONTROL_OR_HALF = /\p{Cc}|\p{Cs}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Reads what a client asks for; anything from anywhere. A name loses its folders and what could deceive or break a
 * header; a disposition is one of the two, and may come with parameters, which do not count.
 * @returns undefined when nothing is asked for
 */
export function readDownloadName(filename: unknown, disposition: unknown): DownloadName | undefined {
  const name = typeof filename === "string" ? safeName(filename) : "";
  const kind = typeof disposition === "string" ? disposition.split(";", 1)[0]?.trim().toLowerCase() : undefined;
  const read: DownloadName = {
    ...(name === "" ? {} : { filename: name }),
    ...(kind === "inline" || kind === "attachment" ? { disposition: kind } : {}),
  };
  return Object.keys(read).length === 0 ? undefined : read;
}

function safeName(text: string): string {
  // No more than could be left of it, so that a name of megabytes costs nothing.
  const last =
    text
      .slice(-2 * LONGEST)
      .split(/[/\\]/)
      .at(-1) ?? "";
  let name = last.replaceAll(CONTROL_OR_HALF, "").trim();
  const encoder = new TextEncoder();
  while (encoder.encode(name).length > LONGEST) name = Array.from(name).slice(0, -1).join("");
  return name === "." || name === ".." ? "" : name;
}

/** The header (RFC 6266): the name in ASCII for old clients, and in full for all others (RFC 8187). */
export function contentDisposition({ filename, disposition = "attachment" }: DownloadName): string {
  if (filename === undefined) return disposition;
  const ascii = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const header = `${disposition}; filename="${ascii}"`;
  return ascii === filename ? header : `${header}; filename*=UTF-8''${encode(filename)}`;
}

/** What RFC 8187 leaves as it is (attr-char) is less than what `encodeURIComponent` does. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
