import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { ObjectVersion } from "../port.ts";
import { isLast, isRefusal, lastError, pause } from "./attempts.ts";
import type { Bucket, Head } from "./bucket.ts";

export interface Publication {
  readonly key: ObjectKey;
  /** What the object carries as metadata if this made it, and not otherwise. */
  readonly putId: string;
  readonly ifAbsent?: boolean | undefined;
  readonly ifMatch?: string | undefined;
  /**
   * Another call may have done it before, or be doing it, and then it is done: if it is the object with this etag, for that
   * call may have meant other parts.
   */
  readonly repeatable?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends the request that makes an object visible. One without an answer may have succeeded, and sent again it would lose
 * against itself. Therefore, whenever that is possible, the object is looked at: whose is it?
 * @param send one attempt, without repetitions of its own
 * @throws StorageError `conflict` when the condition decided against it; `uncertain` if that may have been after it was
 *   done, and replaced by somebody else
 */
export async function publish(
  bucket: Bucket,
  publication: Publication,
  send: () => Promise<ObjectVersion>,
): Promise<ObjectVersion> {
  const { key, putId, ifMatch, repeatable, signal } = publication;
  const repeated = repeatable !== undefined;
  const begun = Date.now();
  let uncertain = false;
  for (let attempt = 1; ; attempt += 1) {
    let error: StorageError;
    try {
      return await send();
    } catch (thrown) {
      if (!(thrown instanceof StorageError)) throw thrown;
      error = thrown;
    }
    uncertain ||= error.uncertain;
    if (!isRefusal(error) && !error.retryable) throw lastError(error, uncertain);
    // Nothing of ours can be there, so the refusal means what it says.
    if (isRefusal(error) && !uncertain && !repeated) {
      throw error.code === "conflict" || ifMatch !== undefined ? conflict(publication, error, false) : error;
    }
    if (uncertain || repeated || error.code !== "throttled") {
      const there = await look(bucket, key, signal);
      if (there !== "unknown") {
        if (there?.putId === putId && (!repeated || there.etag === repeatable))
          return { key, size: there.size, etag: there.etag };
        if (isAgainst(publication, there)) throw conflict(publication, error, uncertain);
        // The upload is gone, and will not come back.
        if (error.code === "not-found" && ifMatch === undefined) throw lastError(error, uncertain);
      }
    }
    if (isLast(attempt, begun)) throw lastError(error, uncertain);
    await pause(attempt, signal);
  }
}

async function look(
  bucket: Bucket,
  key: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<Head | "unknown" | undefined> {
  try {
    return await bucket.head(key, signal);
  } catch (error) {
    if (error instanceof StorageError) return "unknown";
    throw error;
  }
}

/** Whether what is there, which is not ours, decides against it. */
function isAgainst({ ifAbsent, ifMatch }: Publication, there: Head | undefined): boolean {
  return ifMatch === undefined ? ifAbsent === true && there !== undefined : there?.etag !== ifMatch;
}

function conflict({ key, ifMatch }: Publication, cause: StorageError, uncertain: boolean): StorageError {
  const reason =
    ifMatch === undefined
      ? `${key} already exists`
      : `${key} is not the version that was to be replaced: read it again`;
  return new StorageError("conflict", reason, { cause, uncertain });
}
