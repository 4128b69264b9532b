import { S3Error } from "./errors.ts";
import { sourceNamed } from "./objects.ts";
import type { Operation, S3Request } from "./operations.ts";
import type { Permission, Policy } from "./policy.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
const ACTIONS: Readonly<Record<Operation, string>> = {
  GetObject: "s3:GetObject",
  HeadObject: "s3:GetObject",
  PutObject: "s3:PutObject",
  DeleteObject: "s3:DeleteObject",
  CopyObject: "s3:PutObject",
  ListObjectsV2: "s3:ListBucket",
  CreateMultipartUpload: "s3:PutObject",
  UploadPart: "s3:PutObject",
  UploadPartCopy: "s3:PutObject",
  ListParts: "s3:ListMultipartUploadParts",
  CompleteMultipartUpload: "s3:PutObject",
  AbortMultipartUpload: "s3:AbortMultipartUpload",
  ListMultipartUploads: "s3:ListBucketMultipartUploads",
};

/** @param policy undefined for whoever may do everything. @throws S3Error `AccessDenied` */
export function authorize(policy: Policy | undefined, operation: Operation, request: S3Request): void {
  for (const permission of needed(operation, request)) {
    if (policy?.allows(permission) === false) throw denied(permission);
  }
}

function needed(operation: Operation, { bucket, key, query, headers }: S3Request): Permission[] {
  const action = ACTIONS[operation];
  // Listings of uploads have no prefix that conditions could be about.
  const prefix = operation === "ListObjectsV2" ? (query.get("prefix") ?? undefined) : undefined;
  const permissions: Permission[] = [{ action, resource: arnOf(bucket, key), prefix }];
  if (headers["x-amz-copy-source"] !== undefined) permissions.push(reading(sourceNamed(headers)));
  // Which etag an object has, only those may ask who may read it.
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
  if (action !== "s3:GetObject" && headers["if-match"] !== undefined) permissions.push(reading({ bucket, key }));
  return permissions;
}

/**
 * What somebody hears of an object that is not there: whoever may not list does not learn that either. It is the key that a
 * condition on the prefix is about then (https://github.com/ceph/ceph/pull/68577).
 */
export function absence(policy: Policy | undefined, { bucket, headers }: S3Request, error: S3Error): S3Error {
  const { Key: prefix } = error.details;
  if (error.code !== "NoSuchKey" || prefix === undefined) return error;
  const named = headers["x-amz-copy-source"] === undefined ? bucket : sourceNamed(headers).bucket;
  const permission = { action: "s3:ListBucket", resource: arnOf(named, ""), prefix };
  return policy?.allows(permission) === false ? denied(permission) : error;
}

function reading({ bucket, key }: { readonly bucket: string; readonly key: string }): Permission {
  return { action: "s3:GetObject", resource: arnOf(bucket, key) };
}

function arnOf(bucket: string, key: string): string {
  return `arn:aws:s3:::${bucket}${key === "" ? "" : `/${key}`}`;
}

function denied({ action, resource }: Permission): S3Error {
  const message = `The user is not authorized to perform: ${action} on resource: "${resource}" because no policy allows it`;
  return new S3Error("AccessDenied", {}, message);
}
