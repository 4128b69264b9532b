import { createHash } from "node:crypto";
import { type Answer, type Call, xmlAnswer } from "./answer.ts";
import { type Part, type Upload, wholeSecond } from "./buckets.ts";
import { checkWrite } from "./conditions.ts";
import { type Contents, etagOf, joined } from "./contents.ts";
import { S3Error } from "./errors.ts";
import { describe, keptHeaders, publish, sourceRange } from "./objects.ts";
import { contentsOf, documentOf, leaf, textOf } from "./xml.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const SMALLEST = 5 * 1024 ** 2;
const MOST = 10_000;

export function createUpload({ request, bucket }: Call): Answer {
  const { id } = bucket.begin(request.key, keptHeaders(request.headers));
  const result = [leaf("Bucket", request.bucket), leaf("Key", request.key), leaf("UploadId", id)];
  return xmlAnswer(200, documentOf("InitiateMultipartUploadResult", result));
}

export function uploadPart(call: Call): Answer {
  const { etag } = keep(call, call.body);
  return { status: 200, headers: { etag: `"${etag}"` } };
}

export function uploadPartCopy(call: Call): Answer {
  return xmlAnswer(200, documentOf("CopyPartResult", describe(keep(call, sourceRange(call)))));
}

function keep(call: Call, contents: Contents): Part {
  const number = Number(call.request.query.get("partNumber"));
  if (!Number.isInteger(number) || number < 1 || number > MOST) {
    throw new S3Error("InvalidArgument", {}, `Part number must be an integer between 1 and ${MOST}, inclusive`);
  }
  const { headers, parts } = uploadOf(call);
  const part = { contents, etag: etagOf(contents, headers), modifiedAt: wholeSecond() };
  parts.set(number, part);
  return part;
}

export function uploadOf({ request, bucket }: Call): Upload {
  return bucket.upload(request.key, request.query.get("uploadId") ?? "");
}

export function completeUpload(call: Call): Answer {
  const { request, bucket, body } = call;
  const upload = uploadOf(call);
  const parts = partsIn(Buffer.concat(body.chunks).toString(), upload);
  checkWrite(request.headers, request.key, bucket.objects.get(request.key));
  // Of an object that came in parts it is the digest of their digests.
  const digests = createHash("md5");
  for (const { etag } of parts) digests.update(etag, "hex");
  const whole = joined(parts.map(({ contents }) => contents));
  const { etag } = publish(bucket, request.key, whole, `${digests.digest("hex")}-${parts.length}`, upload.headers);
  bucket.uploads.delete(upload.id);
  const result = [leaf("Bucket", request.bucket), leaf("Key", request.key), leaf("ETag", `"${etag}"`)];
  return xmlAnswer(200, documentOf("CompleteMultipartUploadResult", result));
}

/** The parts that the client names, in its order, which has to be that of their numbers. */
function partsIn(xml: string, upload: Upload): Part[] {
  const named = contentsOf(xml, "Part").map((part) => ({
    number: Number(textOf(part, "PartNumber")),
    etag: textOf(part, "ETag")?.replace(/^"(.*)"$/, "$1"),
  }));
  if (named.length === 0) throw new S3Error("MalformedXML");
  if (named.some(({ number }, index) => index > 0 && number <= (named[index - 1]?.number ?? 0))) {
    throw new S3Error("InvalidPartOrder");
  }
  const parts = named.map(({ number, etag }) => {
    const part = upload.parts.get(number);
    if (part === undefined || part.etag !== etag) throw new S3Error("InvalidPart", { PartNumber: String(number) });
    return part;
  });
  if (parts.slice(0, -1).some(({ contents }) => contents.size < SMALLEST)) throw new S3Error("EntityTooSmall");
  return parts;
}

export function abortUpload(call: Call): Answer {
  call.bucket.uploads.delete(uploadOf(call).id);
  return { status: 204 };
}
