import { StorageError } from "./errors.ts";

declare const keyBrand: unique symbol;

/**
 * The name of an object in a store: segments joined by `/`. Made only by {@link parseKey}, so that whoever holds one
 * can put it into a path, a URL or a request without looking again.
 */
export type ObjectKey = string & { readonly [keyBrand]: true };

/** The longest key that S3, Google Cloud Storage and Azure all take. */
export const MAX_KEY_BYTES = 1024;

// Control characters, backslash (a separator to Windows and to Azure), and lone surrogates, which have no UTF-8 form.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\\ud800-\udfff]/u;

/**
 * Makes a key of `text`, or refuses it: empty text, empty segments (so a leading, trailing or double `/`), `.` and
 * `..`, control characters, backslashes, and more than {@link MAX_KEY_BYTES} bytes of UTF-8.
 * @throws StorageError `invalid`
 */
export function parseKey(text: string): ObjectKey {
  const reason = refusal(text);
  if (reason !== undefined) {
    throw new StorageError("invalid", `${JSON.stringify(text.slice(0, 200))} is not an object key: ${reason}`);
  }
  return text as ObjectKey;
}

/** Whether {@link parseKey} takes `text`. */
export function isKey(text: string): text is ObjectKey {
  return refusal(text) === undefined;
}

function refusal(text: string): string | undefined {
  if (text.length > MAX_KEY_BYTES || Buffer.byteLength(text) > MAX_KEY_BYTES)
    return `longer than ${MAX_KEY_BYTES} bytes`;
  if (FORBIDDEN.test(text)) return "it contains a control character, a backslash or half a character";
  for (const segment of text.split("/")) {
    if (segment === "") return "it is empty, or starts or ends with a slash, or has two in a row";
    if (segment === "." || segment === "..") return `a segment is ${JSON.stringify(segment)}`;
  }
  return undefined;
}
