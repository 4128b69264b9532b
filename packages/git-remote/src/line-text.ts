/** A byte of no text: one of the low surrogates, which no text has alone. */
const BYTE = /([\udc80-\udcff])/u;
const BYTES_FROM = 0xdc00;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A line of git's as text. Names of refs are bytes to git, and older ones may be in Latin-1: what is not UTF-8 is carried as surrogates,
 * by which it is told from all text, and from which {@link bytesOf} makes the same bytes again.
 */
export function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    const escaped = (byte: string): string => String.fromCharCode(BYTES_FROM + byte.charCodeAt(0));
    return Buffer.from(bytes)
      .toString("latin1")
      .replace(/[\x80-\xff]/g, escaped);
  }
}

/** What git is to read. */
export function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = text
    .split(BYTE)
    .map((part) => (BYTE.test(part) ? Buffer.from([part.charCodeAt(0) - BYTES_FROM]) : Buffer.from(part)));
  return Buffer.concat(parts);
}
