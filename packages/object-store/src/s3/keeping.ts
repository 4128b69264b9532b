import type { PutObjectCommandInput, StorageClass } from "@aws-sdk/client-s3";
import type { S3Location } from "./options.ts";

/** How an object is to be kept; part of whatever makes one. */
export type Keeping = Pick<
  PutObjectCommandInput,
  "ServerSideEncryption" | "SSEKMSKeyId" | "BucketKeyEnabled" | "StorageClass"
>;

export function keepingOf({ sse, kmsKeyId, bucketKey, storageClass }: S3Location): Keeping {
  return {
    ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
    ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    ...(bucketKey === undefined ? {} : { BucketKeyEnabled: bucketKey }),
    // The SDK names Amazon's classes; other stores have their own.
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
  };
}

/** The same as headers, for requests that others send. */
export function keepingHeaders({ sse, kmsKeyId, bucketKey, storageClass }: S3Location): Record<string, string> {
  const prefix = "x-amz-server-side-encryption";
  return {
    ...(sse === undefined ? {} : { [prefix]: sse }),
    ...(kmsKeyId === undefined ? {} : { [`${prefix}-aws-kms-key-id`]: kmsKeyId }),
    ...(bucketKey === undefined ? {} : { [`${prefix}-bucket-key-enabled`]: String(bucketKey) }),
    ...(storageClass === undefined ? {} : { "x-amz-storage-class": storageClass }),
  };
}
