import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { PresignOptions, SignedRequest } from "../port.ts";
import type { AzureClient } from "./client.ts";

/** What one Put Blob may carry, in bytes. */
const MAX_PUT = 5000 * 1024 * 1024;
const LONGEST = 7 * 24 * 60 * 60;

/** A request for one object. A PUT may be sent again, and replaces what is there, until it expires. */
export async function presignObject(
  client: AzureClient,
  key: ObjectKey,
  blob: string,
  o: PresignOptions,
): Promise<SignedRequest> {
  o.signal?.throwIfAborted();
  const expiresAt = expiry(o.expiresIn);
  if (o.method === "GET") {
    const { url, query, ...signed } = await client.sign(blob, {
      permissions: "r",
      expiresAt,
      disposition: o.disposition,
    });
    return { method: "GET", url: `${url}?${query}`, headers: {}, expiresAt: signed.expiresAt };
  }
  if (o.sha256 !== undefined) {
    throw new StorageError(
      "unsupported",
      "Azure Blob Storage does not check SHA-256: read the object again to check it",
    );
  }
  assertSize(o.size, MAX_PUT, `a PUT of ${key}`);
  const { url, query, ...signed } = await client.sign(blob, { permissions: "cw", expiresAt });
  const tier = client.accessTier;
  return {
    method: "PUT",
    url: `${url}?${query}`,
    headers: {
      "x-ms-blob-type": "BlockBlob",
      // Left to themselves, clients guess one from the bytes.
      "Content-Type": "application/octet-stream",
      ...(tier === undefined ? {} : { "x-ms-access-tier": tier }),
    },
    expiresAt: signed.expiresAt,
  };
}

/** A request that puts one block. */
export async function presignBlock(
  client: AzureClient,
  blob: string,
  blockName: string,
  expiresIn: number,
): Promise<SignedRequest> {
  const { url, query, expiresAt } = await client.sign(blob, { permissions: "w", expiresAt: expiry(expiresIn) });
  return {
    method: "PUT",
    url: `${url}?comp=block&blockid=${encodeURIComponent(blockName)}&${query}`,
    headers: {},
    expiresAt,
  };
}

/** @throws StorageError `invalid` unless it is a whole number of bytes up to `most` */
export function assertSize(size: number, most: number, what: string): void {
  if (!Number.isSafeInteger(size) || size < 0 || size > most) {
    throw new StorageError("invalid", `${what} cannot have ${size} bytes: Azure takes up to ${most}`);
  }
}

function expiry(expiresIn: number): Date {
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > LONGEST) {
    throw new StorageError("invalid", `a request cannot expire in ${expiresIn} seconds: from 1 to ${LONGEST} it can`);
  }
  // Signatures have whole seconds.
  return new Date((Math.ceil(Date.now() / 1000) + expiresIn) * 1000);
}
