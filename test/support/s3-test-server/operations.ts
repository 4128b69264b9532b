import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** What the server can do, by the names of the API. What it cannot do, it refuses, so that nothing is overlooked. */
export type Operation =
  | "GetObject"
  | "HeadObject"
  | "PutObject"
  | "DeleteObject"
  | "CopyObject"
  | "ListObjectsV2"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "UploadPartCopy"
  | "ListParts"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "ListMultipartUploads";

export interface S3Request {
  readonly method: string;
  /** As it was sent, percent-encoded, without the query. */
  readonly path: string;
  /** Undefined for what the server cannot do. */
  readonly operation: Operation | undefined;
  readonly bucket: string;
  /** Empty where it is the bucket that is meant. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

interface Form {
  readonly operation: Operation;
  readonly method: string;
  readonly of: "bucket" | "object";
  readonly copies?: true;
  /** Parameters by which it is known. */
  readonly by?: readonly string[];
  /** Parameters that it may have. */
  readonly with?: readonly string[];
}

const FORMS: readonly Form[] = [
  {
    operation: "ListObjectsV2",
    method: "GET",
    of: "bucket",
    by: ["list-type"],
    with: ["prefix", "start-after", "continuation-token", "max-keys", "encoding-type"],
  },
  {
    operation: "ListMultipartUploads",
    method: "GET",
    of: "bucket",
    by: ["uploads"],
    with: ["prefix", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"],
  },
  {
    operation: "ListParts",
    method: "GET",
    of: "object",
    by: ["uploadId"],
    with: ["part-number-marker", "max-parts"],
  },
  { operation: "GetObject", method: "GET", of: "object", with: ["response-content-disposition"] },
  { operation: "HeadObject", method: "HEAD", of: "object" },
  { operation: "UploadPartCopy", method: "PUT", of: "object", by: ["partNumber", "uploadId"], copies: true },
  { operation: "UploadPart", method: "PUT", of: "object", by: ["partNumber", "uploadId"] },
  { operation: "CopyObject", method: "PUT", of: "object", copies: true },
  { operation: "PutObject", method: "PUT", of: "object" },
  { operation: "CreateMultipartUpload", method: "POST", of: "object", by: ["uploads"] },
  { operation: "CompleteMultipartUpload", method: "POST", of: "object", by: ["uploadId"] },
  { operation: "AbortMultipartUpload", method: "DELETE", of: "object", by: ["uploadId"] },
  { operation: "DeleteObject", method: "DELETE", of: "object" },
];

/** Those of a signature, and the one by which SDKs name the operation. */
const EVERYWHERE =
  /^(?:X-Amz-(?:Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token|Content-Sha256)|x-id)$/;
const HEADERS =
  /^x-amz-(?:date|content-sha256|security-token|user-agent|checksum-sha256|copy-source(?:-if-match|-range)?|metadata-directive|storage-class|server-side-encryption(?:-aws-kms-key-id|-bucket-key-enabled)?|meta-.+)$/;
const UNKNOWN_HEADERS = /^(?:x-amz-.*|if-modified-since|if-unmodified-since|transfer-encoding)$/;

/** Reads `/bucket/key`, and what is to be done to it. */
export function parseRequest({ method = "GET", url = "/", headers }: IncomingMessage): S3Request {
  // Not by the URL class, which resolves `.` and `..`.
  const [path = "", ...query] = url.split("?");
  const [, bucket = "", key = ""] = /^\/([^/]+)\/?(.*)$/s.exec(decoded(path)) ?? [];
  const request = { method, path, query: new URLSearchParams(query.join("?")), headers };
  const of = key === "" ? "bucket" : "object";
  return { ...request, operation: bucket === "" ? undefined : operationOf(request, of), bucket, key };
}

/** Percent-decoded; empty where a percent sign encodes nothing. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function operationOf(
  { method, query, headers }: Pick<S3Request, "method" | "query" | "headers">,
  of: Form["of"],
): Operation | undefined {
  const known = Object.keys(headers).every((name) => HEADERS.test(name) || !UNKNOWN_HEADERS.test(name));
  const copies = headers["x-amz-copy-source"] !== undefined;
  const found = FORMS.find((form) => {
    const parameters = [...(form.by ?? []), ...(form.with ?? [])];
    return (
      form.method === method &&
      form.of === of &&
      (form.copies ?? false) === copies &&
      (form.by ?? []).every((name) => query.has(name)) &&
      [...query.keys()].every((name) => parameters.includes(name) || EVERYWHERE.test(name))
    );
  });
  return known ? found?.operation : undefined;
}
