import { StorageError, type ObjectStore } from "@holdall/object-store/open";
import { HEAD_KEY } from "./layout.ts";

/** As git-remote-s3 writes it: without an end of line. */
function putOptions(ref: string): { readonly body: AsyncIterable<Uint8Array>; readonly size: number } {
  const bytes = Buffer.from(ref);
  return {
    size: bytes.length,
    body: (async function* () {
      yield bytes;
    })(),
  };
}

/** Says which branch clones begin with, unless somebody has said. */
export async function initHead(store: ObjectStore, ref: string): Promise<void> {
  const { body, size } = putOptions(ref);
  try {
    await store.put(HEAD_KEY, body, { size, contentType: "text/plain", ifAbsent: true });
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "conflict")) throw error;
  }
}

/** Says which branch clones begin with, whatever was said before. */
export async function putHead(store: ObjectStore, ref: string): Promise<void> {
  const { body, size } = putOptions(ref);
  await store.put(HEAD_KEY, body, { size, contentType: "text/plain" });
}
