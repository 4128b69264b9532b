import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import { isLast, isRefusal, lastError, pause } from "./attempts.ts";
import { type Bucket, quoted } from "./bucket.ts";

/**
 * Deletes this version only. Nothing stays behind by which an own deletion that got no answer could be told from another's:
 * if the version is gone after one, the outcome is `uncertain`.
 */
export async function deleteVersion(
  bucket: Bucket,
  key: ObjectKey,
  etag: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const command = new DeleteObjectCommand({ ...bucket.target(key), IfMatch: quoted(etag) });
  const doing = { what: `deleting ${key}`, needs: "s3:DeleteObject and s3:GetObject", writes: true };
  const begun = Date.now();
  let uncertain = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await bucket.askOnce(doing, signal, (client, o) => client.send(command, o));
      return;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (isRefusal(error)) throw refusal(key, error, uncertain);
      uncertain ||= error.uncertain;
      if (!error.retryable || isLast(attempt, begun)) throw lastError(error, uncertain);
    }
    await pause(attempt, signal);
  }
}

function refusal(key: ObjectKey, cause: StorageError, uncertain: boolean): StorageError {
  if (!uncertain) {
    return new StorageError("conflict", `${key} is not the version that was to be deleted: read it again`, { cause });
  }
  const message = `this version of ${key} is gone, by this deletion or by somebody else's`;
  return new StorageError("unavailable", message, { cause, retryable: false, uncertain });
}
