import { createHash } from "node:crypto";
import { seededBytes } from "../../test/support/content.ts";
import { putParts } from "./http-bodies.ts";
import { batch } from "./lfs-api.ts";

/** Uploads so many different objects of this size, in bytes, all at once. @returns megabytes (10⁶) a second of all together */
export async function manyUploads(lfsUrl: string, count: number, size: number): Promise<number> {
  // Different objects that share all but their last byte.
  const start = seededBytes(size, size - 1);
  const hash = createHash("sha256").update(start);
  const objects = Array.from({ length: count }, (_, index) => {
    const tail = Uint8Array.of(index);
    return { oid: hash.copy().update(tail).digest("hex"), size, tail };
  });
  const actions = await batch(lfsUrl, "upload", objects);
  return await totalRate(objects, async ({ oid, tail }) => {
    const upload = actions.get(oid)?.upload;
    if (upload === undefined) throw new Error(`${lfsUrl} offers no upload of ${oid}`);
    await putParts(upload, [start, tail]);
    return size;
  });
}

/** Does all transfers at once. @param transfer returns its bytes. @returns megabytes (10⁶) a second of all together */
export async function totalRate<T>(items: readonly T[], transfer: (item: T) => Promise<number>): Promise<number> {
  const started = performance.now();
  const sizes = await Promise.all(items.map(transfer));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}
