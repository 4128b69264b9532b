import type { File } from "@google-cloud/storage";
import { StorageError } from "../errors.ts";
import type { PresignOptions, SignedRequest } from "../port.ts";
import { orAborted } from "./aborted.ts";
import type { GcsClient } from "./client.ts";
import { credentialsError } from "./errors.ts";

/** The largest object, and the largest that one PUT carries. https://cloud.google.com/storage/quotas#objects */
export const MAX_OBJECT_SIZE: number = 5 * 1024 ** 4;

const WEEK = 7 * 24 * 3600;

/**
 * A URL with a V4 signature. https://cloud.google.com/storage/docs/access-control/signed-urls
 * @throws StorageError `denied` when there is nothing to sign with
 */
export async function signedRequest(client: GcsClient, name: string, o: PresignOptions): Promise<SignedRequest> {
  const { method, expiresIn, signal } = o;
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > WEEK) {
    throw new StorageError("invalid", `a presigned URL is good for 1 to ${WEEK} whole seconds, not ${expiresIn}`);
  }
  // The signature has whole seconds.
  const from = Math.floor(Date.now() / 1000) * 1000;
  const expiresAt = new Date(from + expiresIn * 1000);
  const headers = method === "PUT" ? headersOfPut(client, name, o.size) : {};
  const queryParams = client.project === undefined ? {} : { userProject: client.project };
  const sign = async (): Promise<string> => {
    const file: File = client.signing.bucket(client.bucket).file(name);
    const [url] = await file.getSignedUrl({
      version: "v4",
      action: method === "PUT" ? "write" : "read",
      accessibleAt: new Date(from),
      expires: expiresAt,
      extensionHeaders: headers,
      queryParams,
      ...(method === "GET" && o.disposition !== undefined ? { responseDisposition: o.disposition } : {}),
    });
    return url;
  };
  try {
    const url = await orAborted(sign(), signal);
    return { method, url, headers, expiresAt };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw credentialsError(error, { what: `signing a URL for ${name}`, bucket: client.bucket });
  }
}

function headersOfPut({ storageClass }: GcsClient, name: string, size: number): Record<string, string> {
  if (!Number.isSafeInteger(size) || size < 0 || size > MAX_OBJECT_SIZE) {
    throw new StorageError(
      "invalid",
      `${name} cannot be put with ${size} bytes: Cloud Storage takes 0 to ${MAX_OBJECT_SIZE}`,
    );
  }
  return {
    "Content-Type": "application/octet-stream",
    "x-goog-content-length-range": `${size},${size}`,
    ...(storageClass === undefined ? {} : { "x-goog-storage-class": storageClass }),
  };
}
