/** How many bytes of a part a store takes at a time, unless the object would then have too many parts. */
export const PART_SIZE: number = 8 * 1024 * 1024;
/** How many parts of one body may be on their way. */
const AT_ONCE = 4;
/** How many bytes of parts may be on their way, those of all bodies together; each body may always have one. */
const MEMORY = 128 * 1024 * 1024;
/** How many parts' worth of memory is kept for the next ones. */
const SPARE = 8;

let senders = 0;

/**
 * The size of the parts for an object of that size.
 * @param o.most parts that the store allows for one object
 * @param o.least bytes; more where the object would otherwise have too many parts
 */
export function partSizeFor(size: number, o: { readonly most: number; readonly least?: number }): number {
  const { least = PART_SIZE, most } = o;
  const mebibyte = 1024 * 1024;
  return size <= least * most ? least : Math.ceil(size / most / mebibyte) * mebibyte;
}

/**
 * Cuts a body into parts and sends several at once, with bounded memory: at most four of one body, fewer when many
 * bodies are sent. A failure stops the reading, and is thrown when nothing is on its way any more.
 * @param send gets the parts numbered from 1, in memory that is used again when the promise has resolved. Its signal is
 *   aborted when another part, or the body, has failed
 * @param o.handOver as in `PutOptions`
 * @returns what `send` returned, in the order of the parts; nothing for an empty body
 */
export async function sendParts<T>(
  body: AsyncIterable<Uint8Array>,
  partSize: number,
  send: (part: Uint8Array, number: number, signal: AbortSignal) => Promise<T>,
  o: { readonly handOver?: boolean | undefined } = {},
): Promise<T[]> {
  const results: T[] = [];
  const underway = new Set<Promise<void>>();
  const stop = new AbortController();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    stop.abort(error);
  };
  const sendOne = async (part: Uint8Array, number: number): Promise<void> => {
    try {
      results[number - 1] = await send(part, number, stop.signal);
      // Not after a failure: somebody may still be writing from it.
      giveBack(part);
    } catch (error) {
      fail(error);
    }
  };
  senders += 1;
  try {
    let number = 0;
    for await (const part of partsOf(body, partSize, o.handOver === true)) {
      if (failure !== undefined) break;
      number += 1;
      const sending = sendOne(part, number);
      underway.add(sending);
      void sending.finally(() => underway.delete(sending));
      while (underway.size >= atOnce(partSize)) await Promise.race(underway);
    }
  } catch (error) {
    fail(error);
  } finally {
    await Promise.all(underway);
    senders -= 1;
  }
  if (failure !== undefined) throw failure.error;
  return results;
}

function atOnce(partSize: number): number {
  return Math.max(1, Math.min(AT_ONCE, Math.floor(MEMORY / partSize / senders)));
}

/** The body in pieces of this many bytes, the last one smaller, each in memory of its own. */
async function* partsOf(
  body: AsyncIterable<Uint8Array>,
  partSize: number,
  handOver: boolean,
): AsyncGenerator<Uint8Array> {
  let part = new Uint8Array(0);
  let bytes = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      if (bytes === 0) part = memoryFor(partSize);
      const taken = Math.min(partSize - bytes, chunk.length - at);
      part.set(chunk.subarray(at, at + taken), bytes);
      at += taken;
      bytes += taken;
      if (bytes < partSize) continue;
      yield part;
      bytes = 0;
    }
    if (handOver) free(chunk);
  }
  if (bytes > 0) yield part.subarray(0, bytes);
}

/** Memory of parts that were sent, for the next ones: new memory has to be fetched from the system, page by page. */
const spare: ArrayBuffer[] = [];

function memoryFor(partSize: number): Uint8Array<ArrayBuffer> {
  const at = spare.findIndex(({ byteLength }) => byteLength === partSize);
  const [found] = at < 0 ? [] : spare.splice(at, 1);
  // Not from the pool that small buffers share, nor filled with zeros.
  return new Uint8Array(found ?? Buffer.allocUnsafeSlow(partSize).buffer);
}

function giveBack({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === PART_SIZE && spare.length < SPARE) spare.push(buffer);
}

/** Gives memory back without waiting for the collector, unless others may have a part of it. */
export function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [only, ...others] = chunks;
  return only !== undefined && others.length === 0 ? only : Buffer.concat(chunks);
}

/** Reads a small body whole. */
export async function readWhole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return joined(chunks.length === 0 ? [new Uint8Array(0)] : chunks);
}
