import assert from "node:assert/strict";
import { assertBytes, bytesOf, getBytes, key, MiB, putBytes, withCode } from "../contract/contract-test.ts";
import { parseKey } from "../key.ts";
import { Bucket } from "./bucket.ts";
import { Copier } from "./copier.ts";
import { type Line, type LineOptions, lineTo, withS3 } from "./fixtures/line.ts";
import { Uploads } from "./uploads.ts";
import { Writer } from "./writer.ts";
import type { S3Service } from "../../../../test/support/cloud-stores.ts";
import type { TestContext } from "node:test";

const copy = parseKey("copies/of one");

/** One that copies no more than 5 MiB with one request. */
async function smallCopier(
  t: TestContext,
  server: S3Service,
  o: LineOptions = {},
): Promise<Line & { readonly copier: Copier }> {
  const line = await lineTo(t, server, o);
  const bucket = new Bucket(line.connection);
  const uploads = new Uploads(bucket, {});
  return { ...line, copier: new Copier(bucket, uploads, new Writer(bucket, uploads, {}), {}, 5 * MiB) };
}

withS3("an object larger than one request copies is copied in parts", async (t, server) => {
  const { store, copier, operations } = await smallCopier(t, server);
  const bytes = bytesOf(1, 12 * MiB + 1);
  await putBytes(store, key, bytes, { contentType: "text/plain" });
  const before = operations().length;
  const version = await copier.copy(key, copy, {});
  assert.equal(version.size, bytes.length);
  assert.equal((await store.stat(copy))?.etag, version.etag);
  const parts = Array.from({ length: 3 }, () => "UploadPartCopy");
  assert.deepEqual(operations().slice(before, -1), [
    "HeadObject",
    "CreateMultipartUpload",
    ...parts,
    "CompleteMultipartUpload",
  ]);
  assertBytes(await getBytes(store, copy), bytes);
});

withS3("an object with any name is copied", async (t, server) => {
  const { store } = await lineTo(t, server, { location: { prefix: parseKey("a b+é") } });
  const odd = parseKey("some folder/a+b & c=d é%41 (1)*!'~?#.bin");
  await putBytes(store, odd, bytesOf(1, 10));
  await store.copy(odd, copy);
  await store.copy(odd, key, { ifAbsent: true });
  for (const at of [copy, key]) assertBytes(await getBytes(store, at), bytesOf(1, 10));
});

withS3("a source that is replaced while it is copied is copied as it is then, or not at all", async (t, server) => {
  for (const size of [10, 6 * MiB]) {
    let copies = 0;
    const { store, copier, operations } = await smallCopier(t, server, {
      plan: ({ operation }) => {
        if (/Copy/.test(operation)) copies += 1;
        // As if it had been replaced between the look and the copy.
        return /Copy/.test(operation) && copies === 1 ? { answer: 412, code: "PreconditionFailed" } : undefined;
      },
    });
    const { etag } = await putBytes(store, key, bytesOf(1, size));
    await copier.copy(key, copy, {});
    assertBytes(await getBytes(store, copy), bytesOf(1, size));
    copies = 0;
    await assert.rejects(copier.copy(key, copy, { fromEtag: etag }), withCode("conflict"));
    assert.equal(operations().filter((one) => one === "CreateMultipartUpload").length, size > 5 * MiB ? 3 : 0);
    assert.equal(operations().filter((one) => one === "AbortMultipartUpload").length, size > 5 * MiB ? 2 : 0);
  }
});

withS3("a part that cannot be copied ends the copy, and leaves nothing", async (t, server) => {
  const { store, copier, connection, operations } = await smallCopier(t, server, {
    plan: ({ operation, count }) =>
      operation === "UploadPartCopy" && count === 2 ? { answer: 403, code: "AccessDenied" } : undefined,
  });
  await putBytes(store, key, bytesOf(1, 12 * MiB));
  await assert.rejects(copier.copy(key, copy, {}), withCode("denied"));
  assert.equal(operations().at(-1), "AbortMultipartUpload");
  assert.equal(await store.stat(copy), undefined);
  assert.equal(connection.location.prefix, undefined);
});
