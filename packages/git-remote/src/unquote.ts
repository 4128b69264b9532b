import { bytesOf, textOf } from "./line-text.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

/** A text as git quotes it in lines where a space or a line end would mean something else: as in C, with octal bytes. */
export function unquoted(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"') || text.length < 2) return text;
  const bytes: Buffer[] = [];
  for (const [, octal, escape, plain] of text.slice(1, -1).matchAll(/\\([0-3][0-7]{2})|\\(.)|([^\\]+)/gsu)) {
    if (octal !== undefined) bytes.push(Buffer.from([Number.parseInt(octal, 8)]));
    else bytes.push(bytesOf(escape === undefined ? (plain ?? "") : (ESCAPES[escape] ?? escape)));
  }
  return textOf(Buffer.concat(bytes));
}
