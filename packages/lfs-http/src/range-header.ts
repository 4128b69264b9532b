/** Bytes `start` to `end`, both inclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * What a Range header asks of a body of `size` bytes (RFC 9110, section 14): undefined means the whole, as does every
 * form that we need not understand (several ranges, other units); `unsatisfiable` means that it has no such bytes.
 */
export function parseRange(header: string | undefined, size: number): Span | "unsatisfiable" | undefined {
  const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/i.exec(header.trim());
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return undefined;
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  // "5-3" is no range at all, which is not the same as one past the end.
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}
