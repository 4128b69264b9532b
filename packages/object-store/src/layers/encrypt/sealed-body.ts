import { free } from "../../parts.ts";
import { lastSegment, SEGMENT, type SegmentCipher } from "./format.ts";
import type { Header } from "./header.ts";

/**
 * The bytes of an object as they are stored: the header, and each segment with its tag. All of it is in memory of its own.
 * @param body exactly `size` bytes, or it throws
 * @param o.handOver frees the memory of the body's chunks as soon as they are encrypted
 */
export async function* sealed(
  body: AsyncIterable<Uint8Array>,
  { size, header, cipher, handOver }: { size: number; header: Header; cipher: SegmentCipher; handOver: boolean },
): AsyncGenerator<Uint8Array> {
  const last = lastSegment(size);
  let segment = 0;
  let room = Math.min(SEGMENT, size);
  let sealing = cipher.seal(segment, segment === last);
  yield header.bytes;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length;) {
      const taken = Math.min(room, chunk.length - at);
      yield sealing.update(chunk.subarray(at, at + taken));
      at += taken;
      room -= taken;
      if (room > 0 || segment === last) continue;
      sealing.final();
      yield sealing.getAuthTag();
      segment += 1;
      room = Math.min(SEGMENT, size - segment * SEGMENT);
      sealing = cipher.seal(segment, segment === last);
    }
    if (handOver) free(chunk);
  }
  // Only now is it known that the body has ended where it was to.
  sealing.final();
  yield sealing.getAuthTag();
}
