/** The largest buffer, in bytes. Sizes are powers of two. */
export const LARGEST_LOAN: number = 1024 * 1024;
const SMALLEST_LOAN = 16 * 1024;
/** How much is kept for the next reader while nobody uses it, in bytes. */
const KEPT = 32 * 1024 * 1024;

const free = new Map<number, Buffer[]>();
let kept = 0;

/**
 * Memory for pieces of objects on their way to whoever gives it back. New memory for each piece costs more than reading
 * it: the kernel has to find and clear every page, and the collector to notice that it is free again.
 * @param length at most {@link LARGEST_LOAN}
 * @returns a buffer of at least that length, whose bytes are anything
 */
export function borrow(length: number): Buffer {
  const size = Math.max(SMALLEST_LOAN, 2 ** Math.ceil(Math.log2(Math.max(length, 1))));
  if (size > LARGEST_LOAN) throw new RangeError(`${length} bytes are more than is lent at once`);
  const buffer = free.get(size)?.pop();
  if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
  kept -= size;
  return buffer;
}

/** Takes back what {@link borrow} gave, from someone who will not look at it again. */
export function giveBack(buffer: Buffer): void {
  if (kept + buffer.length > KEPT) return;
  kept += buffer.length;
  const list = free.get(buffer.length);
  if (list === undefined) free.set(buffer.length, [buffer]);
  else list.push(buffer);
}
