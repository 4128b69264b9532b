import assert from "node:assert/strict";
import { collect } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { Bucket } from "./bucket.ts";
import { lineTo, type Plan, withS3 } from "./fixtures/line.ts";
import { listUploads } from "./listing.ts";

/** Answers one page after the other, as a store that encodes names does (versitygw does not). */
function pages(operation: string, ...bodies: readonly string[]): Plan {
  return (passed) =>
    passed.operation === operation ? { answer: 200, body: bodies[passed.count - 1] ?? "" } : undefined;
}

const NAMES = ["ours/ä+%2B.bin", "ours/a b", "ours/\ufffe", "ours/line\nfeed", "ours//empty", "ours/", "ours/z"];

function objects(names: readonly string[], more = "<IsTruncated>false</IsTruncated>"): string {
  const contents = names.map((name) => {
    // S3 writes a space as a plus, and slashes as they are.
    const encoded = encodeURIComponent(name).replaceAll("%20", "+").replaceAll("%2F", "/");
    const time = "2026-01-02T03:04:05.678Z";
    return `<Contents><Key>${encoded}</Key><LastModified>${time}</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>`;
  });
  return `<ListBucketResult><EncodingType>url</EncodingType>${contents.join("")}${more}</ListBucketResult>`;
}

withS3("names that a store encodes are decoded, and those that are no keys left out", async (t, server) => {
  const more = "<IsTruncated>true</IsTruncated><NextContinuationToken>to+ken/=</NextContinuationToken>";
  const { store, passed } = await lineTo(t, server, {
    location: { prefix: parseKey("ours") },
    plan: pages("ListObjectsV2", objects(NAMES.slice(0, 3), more), objects(NAMES.slice(3))),
  });
  const modifiedAt = new Date("2026-01-02T03:04:05Z");
  assert.deepEqual(
    await collect(store.list("", { after: "a" })),
    ["ä+%2B.bin", "a b", "\ufffe", "z"].map((key) => ({ key, size: 7, etag: "e", modifiedAt })),
  );
  const first = { "list-type": "2", "encoding-type": "url", prefix: "ours/", "start-after": "ours/a" };
  const second = { ...first, "continuation-token": "to+ken/=" };
  assert.deepEqual(
    passed.map(({ query }) => Object.fromEntries(query)),
    [first, second],
  );
});

withS3("a listing asks for a page when its first object is wanted", async (t, server) => {
  const more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
  const { store, operations } = await lineTo(t, server, {
    plan: pages("ListObjectsV2", objects(["a", "b"], more), objects(["c"])),
  });
  const listing = store.list("")[Symbol.asyncIterator]();
  assert.equal(operations().length, 0);
  for (const [key, requests] of [
    ["a", 1],
    ["b", 1],
    ["c", 2],
  ] as const) {
    assert.equal((await listing.next()).value?.key, key);
    assert.equal(operations().length, requests);
  }
  assert.equal((await listing.next()).done, true);
});

withS3("unfinished uploads are listed page by page", async (t, server) => {
  const page = (name: string, more: string): string =>
    `<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload><Key>${encodeURIComponent(name)}</Key><UploadId>id-${name.length}</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>${more}</ListMultipartUploadsResult>`;
  const more = `<IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fb</NextKeyMarker><NextUploadIdMarker>id-3</NextUploadIdMarker>`;
  const { connection, passed } = await lineTo(t, server, {
    plan: pages("ListMultipartUploads", page("a/b", more), page("c", "<IsTruncated>false</IsTruncated>")),
  });
  const begunAt = new Date("2026-01-02T03:04:05Z");
  assert.deepEqual(await collect(listUploads(new Bucket(connection))), [
    { name: "a/b", id: "id-3", begunAt },
    { name: "c", id: "id-1", begunAt },
  ]);
  assert.deepEqual(
    passed.map(({ query }) => [query.get("key-marker"), query.get("upload-id-marker")]),
    [
      [null, null],
      ["a/b", "id-3"],
    ],
  );
});
