import type { Upload, Uploads } from "@holdall/metadata";
import { StorageError, type ObjectStore, type UploadedPart } from "@holdall/object-store";
import { incomingKey } from "./incoming.ts";

/** An upload in parts, as far as it has come. */
export interface Session {
  readonly upload: Upload;
  /** The parts that are there and have the right size, by number. */
  readonly parts: ReadonlyMap<number, UploadedPart>;
  /** They were joined: all of the object waits to be published. */
  readonly joined: boolean;
}

export function partsIn({ size, partSize }: Upload): number {
  return Math.ceil(size / partSize);
}

/** Bytes; less than one for a part that the object does not have. */
export function sizeOfPart({ size, partSize }: Upload, number: number): number {
  return Math.min(partSize, size - (number - 1) * partSize);
}

/** How far the upload has come. Undefined for one that the store knows nothing of any more, which is then forgotten. */
export async function sessionOf(
  upload: Upload,
  store: ObjectStore,
  uploads: Pick<Uploads, "remove">,
): Promise<Session | undefined> {
  const key = incomingKey(upload.place);
  const parts = await partsOf(upload, store);
  if (parts !== undefined) return { upload, parts, joined: false };
  if ((await store.stat(key)) !== undefined) return { upload, parts: new Map(), joined: true };
  await uploads.remove(upload.place);
  return undefined;
}

async function partsOf(upload: Upload, { multipart }: ObjectStore): Promise<Session["parts"] | undefined> {
  const parts = new Map<number, UploadedPart>();
  if (multipart === undefined) return undefined;
  try {
    for await (const part of multipart.parts(incomingKey(upload.place), upload.name)) {
      if (part.size === sizeOfPart(upload, part.number)) parts.set(part.number, part);
    }
    return parts;
  } catch (error) {
    if (error instanceof StorageError && error.code === "not-found") return undefined;
    throw error;
  }
}
