import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { StorageError } from "../errors.ts";
import type { PutOptions } from "../port.ts";

/** What an object tells of itself beside its bytes. */
export type Description = Pick<PutOptions, "contentDisposition" | "metadata"> & {
  readonly contentType?: string | undefined;
};

/** Anything else would end the header, or be written in an encoding that no reader expects. */
const PRINTABLE = /^[\x20-\x7e]*$/;
const NAME = /^[a-z0-9-]+$/;

/**
 * The same as requests have it.
 * @param own metadata of ours
 * @throws StorageError `invalid` for what no header can hold
 */
export function described(
  { contentType, contentDisposition, metadata = {} }: Description,
  own: Readonly<Record<string, string>> = {},
): Pick<PutObjectCommandInput, "ContentType" | "ContentDisposition" | "Metadata"> {
  const bad = [contentDisposition ?? "", ...Object.values(metadata)].find((text) => !PRINTABLE.test(text));
  const badName = Object.keys(metadata).find((name) => !NAME.test(name));
  if (bad !== undefined || badName !== undefined) {
    const what = JSON.stringify((badName ?? bad ?? "").slice(0, 100));
    throw new StorageError("invalid", `${what} cannot be kept beside an object: only printable ASCII can`);
  }
  const all = { ...metadata, ...own };
  return {
    ...(contentType === undefined ? {} : { ContentType: contentType }),
    ...(contentDisposition === undefined ? {} : { ContentDisposition: contentDisposition }),
    ...(Object.keys(all).length === 0 ? {} : { Metadata: all }),
  };
}
