import { createHash } from "node:crypto";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { Capabilities, ObjectStat, PutOptions } from "../port.ts";
import { Layer } from "./layer.ts";

/**
 * Checks the digest of what is put, on any store: the body is hashed as it passes, and one that is not what `sha256`
 * says throws at its end, which keeps the store from publishing it.
 */
export class VerifyLayer extends Layer {
  override get capabilities(): Capabilities {
    return { ...this.inner.capabilities, checkSha256: true };
  }

  override put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectStat> {
    const { sha256, ...rest } = o;
    if (sha256 === undefined) return this.inner.put(key, body, o);
    return this.inner.put(key, verified(body, sha256, o.size), rest);
  }
}

/**
 * Passes the body on and throws instead of ending when it is not `size` bytes with this SHA-256.
 * @throws StorageError `invalid` for the size, `corrupt` for the digest
 */
async function* verified(body: AsyncIterable<Uint8Array>, sha256: string, size: number): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let total = 0;
  for await (const chunk of body) {
    total += chunk.length;
    if (total > size) throw new StorageError("invalid", `the body is longer than the ${size} bytes announced`);
    hash.update(chunk);
    yield chunk;
  }
  if (total < size) throw new StorageError("invalid", `the body ended after ${total} of the ${size} bytes announced`);
  const actual = hash.digest("hex");
  if (actual !== sha256) throw new StorageError("corrupt", `the body has the SHA-256 ${actual}, not ${sha256}`);
}
