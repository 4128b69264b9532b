/** The most bytes that one line carries (git: Documentation/gitprotocol-common). */
export const MAX_PKT_PAYLOAD = 65_516;

const HEADER = 4;
const LENGTH = /^[0-9a-f]{4}$/;

/** What comes between lines. */
export type PktMark = "flush" | "delimiter" | "response-end";

const MARKS: Readonly<Record<string, PktMark>> = { "0000": "flush", "0001": "delimiter", "0002": "response-end" };

export type Pkt = { readonly kind: "line"; readonly bytes: Uint8Array } | { readonly kind: PktMark };

/** Somebody does not speak the protocol. */
export class PktLineError extends Error {
  override readonly name = "PktLineError";
}

/** A line of the protocol. @throws PktLineError when it is too long for one */
export function pktLine(payload: string | Uint8Array): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  if (bytes.length > MAX_PKT_PAYLOAD) {
    throw new PktLineError(`a line of ${bytes.length} bytes is too long for the protocol: it has ${MAX_PKT_PAYLOAD}`);
  }
  const length = (bytes.length + HEADER).toString(16).padStart(HEADER, "0");
  return Buffer.concat([Buffer.from(length), bytes]);
}

const MARK_BYTES = new Map(Object.entries(MARKS).map(([bytes, mark]) => [mark, bytes]));

/** The bytes of a line or a mark. @throws PktLineError when it is too long for a line */
export function encodePkt(pkt: Pkt): Buffer {
  return pkt.kind === "line" ? pktLine(pkt.bytes) : Buffer.from(MARK_BYTES.get(pkt.kind) ?? "");
}

/**
 * Reads lines and marks off a stream, however its chunks are cut. The payloads are the caller's to keep.
 * @throws PktLineError for what is no line, and when the stream ends in the middle of one
 */
export async function* readPkts(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Pkt, void, undefined> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let next = take(rest); next !== undefined; next = take(rest)) {
      rest = rest.subarray(next.used);
      yield next.pkt;
    }
  }
  if (rest.length > 0) throw new PktLineError("the stream ended in the middle of a line");
}

/** The first line, when all of it is there. */
function take(bytes: Uint8Array): { readonly pkt: Pkt; readonly used: number } | undefined {
  if (bytes.length < HEADER) return undefined;
  const header = Buffer.from(bytes.subarray(0, HEADER)).toString("latin1");
  const mark = MARKS[header];
  if (mark !== undefined) return { pkt: { kind: mark }, used: HEADER };
  const length = LENGTH.test(header) ? Number.parseInt(header, 16) : 0;
  if (length < HEADER) throw new PktLineError(`${JSON.stringify(header)} is not the length of a line`);
  if (length > MAX_PKT_PAYLOAD + HEADER) throw new PktLineError(`a line of ${length} bytes is longer than any may be`);
  if (bytes.length < length) return undefined;
  return { pkt: { kind: "line", bytes: Uint8Array.from(bytes.subarray(HEADER, length)) }, used: length };
}
