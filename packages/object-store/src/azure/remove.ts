import { StorageError } from "../errors.ts";
import { backOff, type AzureClient, type Call } from "./client.ts";
import { lookAt } from "./look.ts";

const ATTEMPTS = 4;

/** Deletes a blob, which need not be there. */
export async function remove(client: AzureClient, blob: string, call: Call): Promise<void> {
  try {
    await client.ask(call, (abortSignal) => client.blob(blob).delete({ abortSignal }));
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== "not-found") throw error;
  }
}

/**
 * Deletes this version only. Once an answer was lost and the version is gone, nobody can tell who has deleted it.
 * @throws StorageError `conflict`; `unavailable` and uncertain
 */
export async function removeVersion(client: AzureClient, blob: string, etag: string, call: Call): Promise<void> {
  let doubt: StorageError | undefined;
  for (let attempts = 1; ; attempts += 1) {
    try {
      const conditions = { ifMatch: etag };
      await client.ask(call, (abortSignal) => client.blobOnce(blob).delete({ abortSignal, conditions }));
      return;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.uncertain) doubt = error;
      else if (error.code !== "throttled") throw doubt ?? asConflict(error, call);
      if (attempts === ATTEMPTS) throw doubt ?? error;
    }
    if (doubt !== undefined && (await lookAt(client, blob, { ...call, needs: "read" }))?.etag !== etag) throw doubt;
    await backOff(attempts, call.signal);
  }
}

function asConflict(error: StorageError, { doing }: Call): StorageError {
  if (error.code !== "not-found") return error;
  return new StorageError("conflict", `${doing} is not possible: it is not there`, { cause: error });
}
