import { ListMultipartUploadsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { isKey } from "../key.ts";
import type { ObjectStat } from "../port.ts";
import { type Bucket, etagOf, present, wholeSeconds } from "./bucket.ts";

export interface ListingOptions {
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Objects in the order in which S3 lists, which is that of the bytes of their names. */
export async function* listObjects(
  bucket: Bucket,
  prefix: string,
  { after = "", signal }: ListingOptions,
): AsyncGenerator<ObjectStat> {
  signal?.throwIfAborted();
  if (!beginsKeys(prefix)) return;
  const doing = { what: "listing objects", needs: "s3:ListBucket" };
  const input = {
    Bucket: bucket.name,
    Prefix: bucket.prefixed(prefix),
    // XML cannot hold every character that a key may have.
    EncodingType: "url",
    ...(after === "" ? {} : { StartAfter: bucket.prefixed(after) }),
  } as const;
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      ...input,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await bucket.ask(doing, signal, (client, o) => client.send(command, o));
    for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
      signal?.throwIfAborted();
      const key = bucket.keyOf(named(Key, page.EncodingType));
      if (key === undefined) continue;
      yield {
        key,
        size: present(Size, "Size", key),
        etag: etagOf(ETag, key),
        modifiedAt: wholeSeconds(present(LastModified, "LastModified", key)),
      };
    }
    token = present(page.IsTruncated, "IsTruncated", "a listing") ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

export interface ListedUpload {
  readonly name: string;
  readonly id: string;
  readonly begunAt: Date;
}

/** Uploads in parts that were neither completed nor given up. */
export async function* listUploads(bucket: Bucket): AsyncGenerator<ListedUpload> {
  const doing = { what: "listing unfinished uploads", needs: "s3:ListBucketMultipartUploads" };
  const input = { Bucket: bucket.name, Prefix: bucket.prefixed(""), EncodingType: "url" } as const;
  let marker: { KeyMarker: string; UploadIdMarker?: string } | undefined;
  do {
    const command = new ListMultipartUploadsCommand({ ...input, ...marker });
    const page = await bucket.ask(doing, undefined, (client, o) => client.send(command, o));
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (UploadId === undefined || Initiated === undefined) continue;
      yield { name: named(Key, page.EncodingType), id: UploadId, begunAt: Initiated };
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    marker =
      present(IsTruncated, "IsTruncated", "a listing") && NextKeyMarker !== undefined
        ? {
            KeyMarker: named(NextKeyMarker, page.EncodingType),
            ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
          }
        : undefined;
  } while (marker !== undefined);
}

/** Whether there can be a key that begins like this; others need not be asked for, and not every store bears them. */
function beginsKeys(prefix: string): boolean {
  return prefix === "" || isKey(prefix) || isKey(`${prefix}x`);
}

/** Stores that know no encoding say so by not mentioning it. */
function named(name: string | undefined, encoding: string | undefined): string {
  if (name === undefined || encoding !== "url") return name ?? "";
  return decodeURIComponent(name.replaceAll("+", " "));
}
