import type { IncomingHttpHeaders } from "node:http";
import { type Answer, type Call, xmlAnswer } from "./answer.ts";
import { type Bucket, type StoredObject, wholeSecond } from "./buckets.ts";
import { checkRead, checkSource, checkWrite } from "./conditions.ts";
import { type Contents, cut, etagOf } from "./contents.ts";
import { S3Error } from "./errors.ts";
import { decoded } from "./operations.ts";
import { documentOf, leaf } from "./xml.ts";

/** What an object carries beside its bytes. */
const KEPT =
  /^(?:content-type|content-disposition|content-encoding|cache-control|x-amz-meta-.+|x-amz-storage-class|x-amz-server-side-encryption.*)$/;
const MiB = 1024 ** 2;

export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => KEPT.test(name));
  return {
    "content-type": "binary/octet-stream",
    ...Object.fromEntries(kept.map(([name, text]) => [name, String(text)])),
  };
}

/** Also answers HEAD. */
export function getObject({ request, bucket }: Call): Answer {
  const { key, headers, query } = request;
  const object = bucket.object(key);
  const common = { etag: `"${object.etag}"`, "last-modified": object.modifiedAt.toUTCString() };
  if (checkRead(headers, object)) return { status: 304, headers: common };
  const disposition = query.get("response-content-disposition");
  const described = {
    "accept-ranges": "bytes",
    ...common,
    ...object.headers,
    ...(disposition === null ? {} : { "content-disposition": disposition }),
  };
  const { size } = object.contents;
  const range = rangeOf(headers.range, size);
  if (range === undefined) return { status: 200, headers: described, body: object.contents };
  const { first, last } = range;
  return {
    status: 206,
    headers: { ...described, "content-range": `bytes ${first}-${last}/${size}` },
    body: cut(object.contents, first, last + 1),
  };
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Undefined without one, and for what is none: RFC 9110, section 14.2 has it overlooked. */
function rangeOf(header: string | undefined, size: number): Range | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return undefined;
  if (from !== "" && to !== "" && Number(to) < Number(from)) return undefined;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  if (first >= size) throw new S3Error("InvalidRange", { ActualObjectSize: String(size) });
  return { first, last: from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}

export function putObject({ request, bucket, body }: Call): Answer {
  const { key, headers } = request;
  checkWrite(headers, key, bucket.objects.get(key));
  const kept = keptHeaders(headers);
  const { etag } = publish(bucket, key, body, etagOf(body, kept), kept);
  return { status: 200, headers: { etag: `"${etag}"` } };
}

/** Makes an object be there, in the place of one that was. */
export function publish(
  bucket: Bucket,
  key: string,
  contents: Contents,
  etag: string,
  headers: Readonly<Record<string, string>>,
): StoredObject {
  const object = { contents, etag, modifiedAt: wholeSecond(), headers };
  bucket.objects.set(key, object);
  return object;
}

export function deleteObject({ request, bucket }: Call): Answer {
  checkWrite(request.headers, request.key, bucket.objects.get(request.key));
  bucket.objects.delete(request.key);
  return { status: 204 };
}

export function copyObject(call: Call): Answer {
  const { request, bucket } = call;
  const source = sourceOf(call);
  const replaces = request.headers["x-amz-metadata-directive"] === "REPLACE";
  if (!replaces && bucket.objects.get(request.key) === source) {
    throw new S3Error("InvalidRequest", {}, "An object cannot be copied to itself without changing anything.");
  }
  checkWrite(request.headers, request.key, bucket.objects.get(request.key));
  const headers = replaces ? keptHeaders(request.headers) : source.headers;
  const copy = publish(bucket, request.key, source.contents, etagOf(source.contents, headers), headers);
  return xmlAnswer(200, documentOf("CopyObjectResult", describe(copy)));
}

/** The object that a copy is to be made of. @throws S3Error `NoSuchKey`, `PreconditionFailed` */
function sourceOf({ request, buckets }: Call): StoredObject {
  const { bucket, key } = sourceNamed(request.headers);
  const source = buckets.get(bucket).object(key);
  checkSource(request.headers, source);
  return source;
}

export function sourceNamed(headers: IncomingHttpHeaders): { readonly bucket: string; readonly key: string } {
  const named = /^\/?([^/]+)\/(.+)$/s.exec(decoded(String(headers["x-amz-copy-source"])));
  if (named === null) throw new S3Error("InvalidArgument", {}, "The copy source must name a bucket and a key.");
  const [, bucket = "", key = ""] = named;
  return { bucket, key };
}

/** The bytes that a part is to be copied from. @throws S3Error also `InvalidArgument` and `InvalidRequest` for the range */
export function sourceRange(call: Call): Contents {
  const { contents } = sourceOf(call);
  const header = call.request.headers["x-amz-copy-source-range"];
  if (header === undefined) return contents;
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(String(header)) ?? [];
  if (contents.size <= 5 * MiB) {
    throw new S3Error("InvalidRequest", {}, "A source of at most 5 MiB is not copied in ranges.");
  }
  if (first === undefined || Number(first) > Number(last) || Number(last) >= contents.size) {
    throw new S3Error("InvalidArgument", {}, `The range is not one of a source of ${contents.size} bytes.`);
  }
  return cut(contents, Number(first), Number(last) + 1);
}

/** What copies answer. */
export function describe({ etag, modifiedAt }: Pick<StoredObject, "etag" | "modifiedAt">): string[] {
  return [leaf("LastModified", modifiedAt.toISOString()), leaf("ETag", `"${etag}"`)];
}
