import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { S3Service } from "../../../../test/support/cloud-stores.ts";
import {
  assertAbsent,
  assertBytes,
  assertSameStat,
  bodyOf,
  bytesOf,
  getBytes,
  key,
  MiB,
  putBytes,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { connectS3 } from "./client.ts";
import { type Fault, type Line, lineTo, type Plan, withS3 } from "./fixtures/line.ts";
import { S3Store } from "./store.ts";

const SMALL = 10;
/** Of two parts. */
const LARGE = 8 * MiB + 1;
const PUBLISHING = /^(PutObject|CompleteMultipartUpload|DeleteObject)$/;

/** A plan for the requests that publish or delete, in their order. */
function publishing(...faults: readonly (Fault | undefined)[]): Plan {
  return ({ operation, count }) => (PUBLISHING.test(operation) ? faults[count - 1] : undefined);
}

/** The same bucket, without anything in between. */
async function direct(t: TestContext, server: S3Service, { connection }: Line): Promise<S3Store> {
  const store = new S3Store(await connectS3({ ...connection.location, endpoint: server.endpoint }));
  t.after(() => store.close());
  return store;
}

function count({ operations }: Line, operation: RegExp): number {
  return operations().filter((one) => operation.test(one)).length;
}

const LOST: readonly Fault[] = [{ lose: "break" }, { lose: "silence" }];

for (const size of [SMALL, LARGE]) {
  const what = size === SMALL ? "a small object" : "an object of parts";

  withS3(`${what} whose creation got no answer is known as its own`, async (t, server) => {
    for (const lost of LOST) {
      const line = await lineTo(t, server, { plan: publishing(lost), idle: 500 });
      const version = await putBytes(line.store, key, bytesOf(1, size), { ifAbsent: true });
      assertSameStat(await line.store.stat(key), version);
      assert.equal(count(line, PUBLISHING), 1);
      assertBytes(await getBytes(line.store, key), bytesOf(1, size));
    }
  });

  withS3(`${what} that replaced a version without an answer is known as its own`, async (t, server) => {
    // The first one is put without a condition, and so without anything to settle.
    const line = await lineTo(t, server, { plan: publishing(undefined, { lose: "break" }) });
    const { etag } = await putBytes(line.store, key, bytesOf(1, size));
    const version = await putBytes(line.store, key, bytesOf(2, size), { ifMatch: etag });
    assertSameStat(await line.store.stat(key), version);
    assertBytes(await getBytes(line.store, key), bytesOf(2, size));
  });

  withS3(`${what} is sent again when nothing came of it`, async (t, server) => {
    for (const fault of [
      { answer: 500, code: "InternalError" },
      { answer: 409, code: "ConditionalRequestConflict" },
      { answer: 503, code: "SlowDown" },
      { answer: 502 },
    ]) {
      const line = await lineTo(t, server, { plan: publishing(fault, fault) });
      await putBytes(line.store, key, bytesOf(1, size), { ifAbsent: true });
      assertBytes(await getBytes(line.store, key), bytesOf(1, size));
      assert.equal(count(line, PUBLISHING), 3);
    }
  });

  withS3(`${what} that lost while it got no answer is a conflict`, async (t, server) => {
    for (const [code, status, uncertain] of [
      ["InternalError", 500, true],
      ["ConditionalRequestConflict", 409, false],
    ] as const) {
      const line = await lineTo(t, server, { plan: publishing({ answer: status, code }) });
      const other = await direct(t, server, line);
      await putBytes(other, key, bytesOf(2, SMALL));
      await assert.rejects(putBytes(line.store, key, bytesOf(1, size), { ifAbsent: true }), (error) => {
        assert.ok(error instanceof StorageError);
        assert.deepEqual([error.code, error.uncertain, error.retryable], ["conflict", uncertain, false]);
        return true;
      });
      assert.equal(count(line, PUBLISHING), 1);
      assertBytes(await getBytes(other, key), bytesOf(2, SMALL));
    }
  });

  withS3(`${what} that is never answered is uncertain`, async (t, server) => {
    const fault = { answer: 500, code: "InternalError" };
    const line = await lineTo(t, server, { plan: publishing(fault, fault, fault, fault, fault) });
    await assert.rejects(putBytes(line.store, key, bytesOf(1, size), { ifAbsent: true }), (error) => {
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.uncertain, error.retryable], ["unavailable", true, true]);
      return true;
    });
    assert.equal(count(line, PUBLISHING), 5);
    await assertAbsent(line.store, key);
  });

  withS3(`${what} that is refused after an attempt without an answer says that it is uncertain`, async (t, server) => {
    const line = await lineTo(t, server, {
      plan: publishing({ answer: 500, code: "InternalError" }, { answer: 403, code: "AccessDenied" }),
    });
    await assert.rejects(putBytes(line.store, key, bytesOf(1, size), { ifAbsent: true }), (error) => {
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.uncertain, error.retryable], ["denied", true, false]);
      assert.match(error.message, /an earlier attempt may have succeeded$/);
      return true;
    });
  });
}

withS3(
  "an object of parts without a condition is published once, whatever becomes of the answer",
  async (t, server) => {
    for (const lost of LOST) {
      const line = await lineTo(t, server, { plan: publishing(lost), idle: 500 });
      const version = await putBytes(line.store, key, bytesOf(1, LARGE));
      assertSameStat(await line.store.stat(key), version);
      assert.equal(count(line, PUBLISHING), 1);
    }
  },
);

withS3("an upload that another call has completed is complete, while its object is there", async (t, server) => {
  // As S3 answers the second time. To versitygw it is complete once and for all.
  for (const [ifAbsent, answer, code, otherwise] of [
    [false, 404, "NoSuchUpload", "not-found"],
    [true, 412, "PreconditionFailed", "conflict"],
  ] as const) {
    const again = { answer, code };
    const { store } = await lineTo(t, server, { plan: publishing(undefined, again, again) });
    const upload = await store.multipart.create(key);
    const part = await store.multipart.putPart(key, upload, 1, bodyOf(bytesOf(1, 100)), { size: 100 });
    const version = await store.multipart.complete(key, upload, [part], { ifAbsent });
    assert.deepEqual(await store.multipart.complete(key, upload, [part], { ifAbsent }), version);
    await putBytes(store, key, bytesOf(2, 100));
    await assert.rejects(store.multipart.complete(key, upload, [part], { ifAbsent }), withCode(otherwise));
  }
});

withS3("a deletion that got no answer is sent again, and its outcome told if it can be", async (t, server) => {
  const gone = await lineTo(t, server, {
    plan: ({ operation, count }) => {
      if (operation !== "DeleteObject") return undefined;
      // As S3 answers when there is nothing any more; versitygw would say that it was deleted.
      return count === 1 ? { lose: "break" } : { answer: 404, code: "NoSuchKey" };
    },
  });
  const { etag } = await putBytes(gone.store, key, bytesOf(1, 10));
  await assert.rejects(gone.store.delete(key, { ifMatch: etag }), (error) => {
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.uncertain, error.retryable], ["unavailable", true, false]);
    return true;
  });
  const fault = { answer: 500, code: "InternalError" };
  const line = await lineTo(t, server, {
    plan: ({ operation, count }) => (operation === "DeleteObject" && count < 3 ? fault : undefined),
  });
  const version = await putBytes(line.store, key, bytesOf(1, 10));
  await line.store.delete(key, { ifMatch: version.etag });
  await assertAbsent(line.store, key);
  assert.equal(count(line, /DeleteObject/), 3);
});

withS3("what a first attempt says counts", async (t, server) => {
  const line = await lineTo(t, server);
  const { etag } = await putBytes(line.store, key, bytesOf(1, 10));
  const before = line.operations().length;
  await assert.rejects(putBytes(line.store, key, bytesOf(2, 10), { ifAbsent: true }), withCode("conflict"));
  await assert.rejects(putBytes(line.store, key, bytesOf(2, 10), { ifMatch: `${etag}0` }), withCode("conflict"));
  await assert.rejects(line.store.delete(key, { ifMatch: `${etag}0` }), withCode("conflict"));
  await line.store.delete(key);
  await assert.rejects(putBytes(line.store, key, bytesOf(2, 10), { ifMatch: etag }), withCode("conflict"));
  assert.equal(line.operations().length - before, 5, "nothing was looked at");
  // So answers S3 a conditional deletion of what is absent.
  const absent = await lineTo(t, server, { plan: publishing({ answer: 404, code: "NoSuchKey" }) });
  await assert.rejects(absent.store.delete(key, { ifMatch: etag }), withCode("conflict"));
});
