import type { Oid } from "@holdall/lfs-protocol";

/**
 * A copy with a buffer of its own: a small Buffer is a view of a shared pool, and all of that would be sent along to a
 * thread.
 */
export function bytesOf(oid: Oid): Uint8Array {
  return new Uint8Array(Buffer.from(oid, "hex"));
}
