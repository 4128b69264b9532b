/** The documented policy (docs/storage.md) without some of its actions. */
export function policyWithout(left: readonly string[], bucket: string): object {
  const allow = (actions: readonly string[], resource: string): object => ({
    Effect: "Allow",
    Action: actions.filter((action) => !left.includes(action)),
    Resource: `arn:aws:s3:::${resource}`,
  });
  const ofObjects = ["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"];
  return {
    Version: "2012-10-17",
    Statement: [
      allow(
        ofObjects.map((action) => `s3:${action}`),
        `${bucket}/*`,
      ),
      allow(["s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket),
    ],
  };
}
