import { createHash, randomBytes } from "node:crypto";

/** Bytes as they came, never joined and never changed, so that any number of objects and readers may share them. */
export interface Contents {
  readonly chunks: readonly Buffer[];
  /** Bytes. */
  readonly size: number;
}

export const EMPTY: Contents = { chunks: [], size: 0 };

export function contentsFrom(chunks: readonly Buffer[]): Contents {
  return { chunks, size: chunks.reduce((sum, { length }) => sum + length, 0) };
}

/** The bytes from `start`, inclusive, to `end`, exclusive. */
export function cut({ chunks }: Contents, start: number, end: number): Contents {
  const cuts: Buffer[] = [];
  let at = 0;
  for (const chunk of chunks) {
    const piece = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at));
    if (piece.length > 0) cuts.push(piece);
    at += chunk.length;
  }
  return contentsFrom(cuts);
}

export function joined(all: readonly Contents[]): Contents {
  return contentsFrom(all.flatMap(({ chunks }) => chunks));
}

/**
 * In hexadecimal digits, the etag of what came in one piece: a digest of it, unless it was encrypted with a key of KMS.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
 */
export function etagOf({ chunks }: Contents, headers: Readonly<Record<string, string>>): string {
  if (headers["x-amz-server-side-encryption"]?.startsWith("aws:kms") === true) return randomBytes(16).toString("hex");
  const hash = createHash("md5");
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
