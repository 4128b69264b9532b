import { type Answer, type Call, xmlAnswer } from "./answer.ts";
import { S3Error } from "./errors.ts";
import { uploadOf } from "./uploads.ts";
import { documentOf, leaf, node } from "./xml.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export function listObjects({ request, bucket, pageSize }: Call): Answer {
  const { query } = request;
  const token = query.get("continuation-token");
  const after = token === null ? query.get("start-after") : Buffer.from(token, "base64url").toString();
  const names = sortedNames(bucket.objects.keys(), query.get("prefix") ?? "");
  const { page, isTruncated } = pageOf(
    after === null ? names : names.filter((name) => byBytes(name, after) > 0),
    limitOf(query, "max-keys", pageSize),
  );
  const last = page.at(-1);
  const result = [
    leaf("Name", request.bucket),
    ...echoed(query, { prefix: "Prefix", "start-after": "StartAfter" }),
    ...(token === null ? [] : [leaf("ContinuationToken", token)]),
    leaf("KeyCount", page.length),
    leaf("IsTruncated", isTruncated),
    ...(isTruncated && last !== undefined
      ? [leaf("NextContinuationToken", Buffer.from(last).toString("base64url"))]
      : []),
    ...page.map((name) => {
      const { contents, etag, modifiedAt } = bucket.object(name);
      return node("Contents", [
        leaf("Key", written(name, query)),
        leaf("LastModified", modifiedAt.toISOString()),
        leaf("ETag", `"${etag}"`),
        leaf("Size", contents.size),
        leaf("StorageClass", "STANDARD"),
      ]);
    }),
  ];
  return xmlAnswer(200, documentOf("ListBucketResult", result));
}

/** By key, and by the time of their beginning. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html */
export function listUploads({ request, bucket, pageSize }: Call): Answer {
  const { query } = request;
  const [prefix, keyMarker] = [query.get("prefix") ?? "", query.get("key-marker") ?? ""];
  const idMarker = keyMarker === "" ? null : query.get("upload-id-marker");
  const uploads = [...bucket.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .filter(({ key, id }) => byBytes(key, keyMarker) > 0 || (key === keyMarker && idMarker !== null && id > idMarker))
    .sort((a, b) => byBytes(a.key, b.key) || byBytes(a.id, b.id));
  const { page, isTruncated } = pageOf(uploads, limitOf(query, "max-uploads", pageSize));
  const last = page.at(-1);
  const result = [
    leaf("Bucket", request.bucket),
    ...echoed(query, { prefix: "Prefix", "key-marker": "KeyMarker" }),
    leaf("IsTruncated", isTruncated),
    ...(isTruncated && last !== undefined
      ? [leaf("NextKeyMarker", written(last.key, query)), leaf("NextUploadIdMarker", last.id)]
      : []),
    ...page.map(({ key, id, begunAt }) =>
      node("Upload", [
        leaf("Key", written(key, query)),
        leaf("UploadId", id),
        leaf("Initiated", begunAt.toISOString()),
        leaf("StorageClass", "STANDARD"),
      ]),
    ),
  ];
  return xmlAnswer(200, documentOf("ListMultipartUploadsResult", result));
}

export function listParts(call: Call): Answer {
  const { request, pageSize } = call;
  const marker = Number(request.query.get("part-number-marker") ?? 0);
  const parts = [...uploadOf(call).parts].filter(([number]) => number > marker).sort(([a], [b]) => a - b);
  const { page, isTruncated } = pageOf(parts, limitOf(request.query, "max-parts", pageSize));
  const result = [
    leaf("Bucket", request.bucket),
    leaf("Key", request.key),
    leaf("IsTruncated", isTruncated),
    ...(isTruncated ? [leaf("NextPartNumberMarker", page.at(-1)?.[0] ?? 0)] : []),
    ...page.map(([number, { contents, etag, modifiedAt }]) =>
      node("Part", [
        leaf("PartNumber", number),
        leaf("LastModified", modifiedAt.toISOString()),
        leaf("ETag", `"${etag}"`),
        leaf("Size", contents.size),
      ]),
    ),
  ];
  return xmlAnswer(200, documentOf("ListPartsResult", result));
}

/** Names that begin like this, in the order of their UTF-8, which is not that of JavaScript's strings. */
function sortedNames(names: Iterable<string>, prefix: string): string[] {
  return [...names].filter((name) => name.startsWith(prefix)).sort(byBytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function pageOf<T>(items: readonly T[], limit: number): { readonly page: readonly T[]; readonly isTruncated: boolean } {
  return { page: items.slice(0, limit), isTruncated: limit > 0 && items.length > limit };
}

/** What the client asks for, and never more than a page of the server: S3 may return fewer, and says that there are more. */
function limitOf(query: URLSearchParams, name: string, pageSize: number): number {
  const asked = query.get(name) ?? String(pageSize);
  if (!/^\d+$/.test(asked)) throw new S3Error("InvalidArgument", { ArgumentName: name, ArgumentValue: asked });
  return Math.min(Number(asked), pageSize);
}

/** Parameters that the answer repeats. */
function echoed(query: URLSearchParams, elements: Readonly<Record<string, string>>): string[] {
  const encoding = query.get("encoding-type");
  const repeated = Object.entries(elements).map(([name, element]) => {
    const value = query.get(name);
    return value === null ? "" : leaf(element, written(value, query));
  });
  return [...repeated, ...(encoding === null ? [] : [leaf("EncodingType", encoding)])];
}

/** As the client wants names written. In URLs S3 writes a space as a plus, and slashes as they are. */
function written(name: string, query: URLSearchParams): string {
  if (query.get("encoding-type") !== "url") return name;
  return encodeURIComponent(name)
    .replace(/[!'()]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+")
    .replaceAll("%2F", "/");
}
