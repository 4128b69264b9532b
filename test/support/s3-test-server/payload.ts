import { createHash, type Hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Contents, contentsFrom } from "./contents.ts";
import { S3Error } from "./errors.ts";
import type { S3Request } from "./operations.ts";

/** A digest that the body must have. */
interface Check {
  readonly hash: Hash;
  readonly expected: string;
  readonly encoding: "hex" | "base64";
  readonly error: "BadDigest" | "XAmzContentSHA256Mismatch";
}

/** The connection is to break while the body comes. */
export class CutOff extends Error {}

/**
 * Takes in the whole body, and checks it against all that the request says of it.
 * @param o.sha256 what was signed, in hexadecimal digits
 * @throws S3Error `BadDigest` and the like; Error when the connection breaks before the end
 */
export async function readPayload(
  incoming: IncomingMessage,
  { operation, headers }: S3Request,
  { sha256, cutAfter }: { readonly sha256: string | undefined; readonly cutAfter: number | undefined },
): Promise<Contents> {
  if ((operation === "PutObject" || operation === "UploadPart") && headers["content-length"] === undefined) {
    throw new S3Error("MissingContentLength");
  }
  const checks = checksOf(headers, sha256);
  const chunks: Buffer[] = [];
  for await (const chunk of cutAfter === undefined ? incoming : firstOf(incoming, cutAfter)) {
    const bytes = chunk as Buffer;
    chunks.push(bytes);
    for (const { hash } of checks) hash.update(bytes);
  }
  for (const { hash, expected, encoding, error } of checks) {
    if (hash.digest(encoding) !== expected) throw new S3Error(error);
  }
  return contentsFrom(chunks);
}

function checksOf(headers: S3Request["headers"], sha256: string | undefined): Check[] {
  const { "content-md5": md5, "x-amz-checksum-sha256": checksum } = headers;
  const checks: Check[] = [];
  const add = (algorithm: string, expected: string, encoding: Check["encoding"], error: Check["error"]): void => {
    const hash = createHash(algorithm);
    const length = Buffer.from(expected, encoding).length;
    if (length !== (algorithm === "md5" ? 16 : 32)) throw new S3Error("InvalidDigest");
    checks.push({ hash, expected, encoding, error });
  };
  if (sha256 !== undefined) add("sha256", sha256, "hex", "XAmzContentSHA256Mismatch");
  if (md5 !== undefined) add("md5", String(md5), "base64", "BadDigest");
  if (checksum !== undefined) add("sha256", String(checksum), "base64", "BadDigest");
  return checks;
}

async function* firstOf(body: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of body) {
    left -= chunk.length;
    if (left <= 0) throw new CutOff();
    yield chunk;
  }
  throw new CutOff();
}
