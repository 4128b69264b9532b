import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { atEnd } from "../../../../test/support/at-end.ts";
import { serveHttp } from "../../../../test/support/http-server.ts";
import {
  assertAbsent,
  assertBytes,
  begin,
  being,
  bodyOf,
  bytesOf,
  collect,
  failingBody,
  getBytes,
  key,
  MiB,
  putBytes,
  TestBody,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import type { StoredObject } from "../port.ts";
import { Bucket } from "./bucket.ts";
import { connectS3 } from "./client.ts";
import { type Line, lineTo, withS3 } from "./fixtures/line.ts";
import { listUploads } from "./listing.ts";
import { S3Store } from "./store.ts";

/** For what is no S3 server, and checks none. */
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "c" };

/** Of three parts. */
const large = bytesOf(1, 20 * MiB);

async function assertNoUploads({ connection }: Line): Promise<void> {
  assert.deepEqual(await collect(listUploads(new Bucket(connection))), []);
}

function count({ operations }: Line, operation: string): number {
  return operations().filter((one) => one === operation).length;
}

withS3("a part whose connection breaks is sent again", async (t, server) => {
  const line = await lineTo(t, server, {
    plan: ({ operation, count }) => (operation === "UploadPart" && count < 3 ? { cutAfter: 3 * MiB } : undefined),
  });
  await putBytes(line.store, key, large);
  assertBytes(await getBytes(line.store, key), large);
  assert.equal(count(line, "UploadPart"), 5);
});

withS3("a store that asks to slow down is asked again", async (t, server) => {
  const line = await lineTo(t, server, {
    plan: ({ count }) => (count < 3 ? { answer: 503, code: "SlowDown" } : undefined),
  });
  await Promise.all([putBytes(line.store, key, bytesOf(1, 10)), collect(line.store.list(""))]);
  assertBytes(await getBytes(line.store, key), bytesOf(1, 10));
  assert.deepEqual([count(line, "PutObject"), count(line, "GetObject"), count(line, "ListObjectsV2")], [3, 3, 3]);
});

withS3("a store that asks to slow down for too long is given up", async (t, server) => {
  const { store } = await lineTo(t, server, { plan: () => ({ answer: 503, code: "SlowDown" }) });
  await assert.rejects(getBytes(store, key), (error) => {
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.retryable, error.uncertain], ["throttled", true, false]);
    assert.match(
      error.message,
      /^reading objects\/one in the bucket holdall-\S+ failed: SlowDown: planted \(request PLANTED\)$/,
    );
    return true;
  });
});

withS3("a signal ends the wait between two attempts", async (t, server) => {
  const reason = new Error("the caller's reason");
  const controller = new AbortController();
  const { store } = await lineTo(t, server, {
    plan: () => {
      setImmediate(() => controller.abort(reason));
      return { answer: 503, code: "SlowDown" };
    },
  });
  const { signal } = controller;
  await assert.rejects(store.get(key, { signal }), being(reason));
});

withS3("a body that is cut off is an error, not an early end", async (t, server) => {
  const { store } = await lineTo(t, server, {
    plan: ({ operation }) => (operation === "GetObject" ? { truncateAfter: 3 * MiB } : undefined),
  });
  await putBytes(store, key, bytesOf(1, 5 * MiB));
  const { body } = await store.get(key);
  const chunks: Uint8Array[] = [];
  const read = async (): Promise<void> => {
    for await (const chunk of body) chunks.push(chunk);
  };
  await assert.rejects(read(), (error) => {
    assert.ok(error instanceof StorageError && error.code === "unavailable" && error.retryable);
    assert.match(error.message, /^reading objects\/one broke off after \d+ of 5242880 bytes: /);
    return true;
  });
  const got = Buffer.concat(chunks);
  assert.ok(got.length > 0 && got.length <= 3 * MiB);
  assertBytes(got, bytesOf(1, 5 * MiB).subarray(0, got.length));
  assert.equal((await body[Symbol.asyncIterator]().next()).done, true);
});

withS3("a put that fails in any way leaves no upload behind", async (t, server) => {
  const line = await lineTo(t, server);
  const error = new Error("the body's own");
  await assert.rejects(line.store.put(key, failingBody(large, error), { size: large.length + 1 }), being(error));
  await assert.rejects(line.store.put(key, bodyOf(large), { size: large.length + 1 }), withCode("invalid"));
  const controller = new AbortController();
  const body = new TestBody(
    (function* () {
      yield bytesOf(1, 9 * MiB);
      controller.abort(error);
      yield bytesOf(1, 9 * MiB);
    })(),
  );
  await assert.rejects(line.store.put(key, body, { size: 18 * MiB, signal: controller.signal }), being(error));
  await putBytes(line.store, key, bytesOf(1, 10));
  await assert.rejects(putBytes(line.store, key, large, { ifAbsent: true }), withCode("conflict"));
  assert.equal(count(line, "CreateMultipartUpload"), 4);
  await assertNoUploads(line);
});

withS3("an upload that cannot be given up does not hide why it failed", async (t, server) => {
  const { store } = await lineTo(t, server, {
    plan: ({ operation }) => {
      if (operation === "UploadPart") return { answer: 403, code: "AccessDenied" };
      return operation === "AbortMultipartUpload" ? { answer: 400, code: "InvalidRequest" } : undefined;
    },
  });
  await assert.rejects(putBytes(store, key, large), (error) => {
    assert.ok(error instanceof StorageError && error.code === "denied");
    assert.match(
      error.message,
      /storing part \d of objects\/one .* AccessDenied: planted .*allow these credentials s3:PutObject/,
    );
    return true;
  });
});

withS3("an upload that vanishes is no object that is absent", async (t, server) => {
  const { store } = await lineTo(t, server, {
    plan: ({ operation }) =>
      operation === "CompleteMultipartUpload" ? { answer: 404, code: "NoSuchUpload" } : undefined,
  });
  await assert.rejects(putBytes(store, key, large), withCode("unavailable"));
  await assertAbsent(store, key);
});

withS3("an error that comes as a success is an error", async (t, server) => {
  for (const code of ["InternalError", "EntityTooSmall"]) {
    const { store, operations } = await lineTo(t, server, {
      plan: ({ operation, count }) =>
        operation === "CompleteMultipartUpload" && count === 1 ? { answer: 200, code } : undefined,
    });
    if (code === "InternalError") {
      await putBytes(store, key, large);
      assertBytes(await getBytes(store, key), large);
    } else {
      await assert.rejects(putBytes(store, key, large), withCode("invalid"));
      assert.equal(operations().at(-1), "AbortMultipartUpload");
    }
  }
});

test("a caller that takes its time holds the store up, and not the memory full", async (t) => {
  Object.assign(process.env, CREDENTIALS);
  const answering = Promise.withResolvers<ServerResponse>();
  const port = await serveHttp(t, async (_, response) => {
    response.writeHead(200, { "Content-Length": 512 * MiB, ETag: '"a"', "Last-Modified": new Date().toUTCString() });
    answering.resolve(response);
    await once(response, "close");
  });
  const store = new S3Store(
    await connectS3({ kind: "s3", bucket: "some-bucket", endpoint: `http://127.0.0.1:${port}` }),
  );
  atEnd(t, () => store.close());
  const opening = store.get(key);
  const response = await answering.promise;
  const sent = fill(response);
  const { rest } = await begin(await opening);
  assert.ok((await sent) < 64 * MiB, `${await sent}`);
  const closed = once(response, "close");
  await rest.return?.();
  await closed;
  assert.equal((await rest.next()).done, true);
});

/** Writes until nobody has taken anything for a while; how much it was. */
async function fill(response: ServerResponse): Promise<number> {
  const chunk = Buffer.alloc(MiB);
  for (let sent = 0; ; sent += chunk.length) {
    if (response.write(chunk)) continue;
    const taken = await Promise.race([once(response, "drain"), delay(500, "nothing")]);
    if (taken === "nothing") return sent;
  }
}

withS3("a body that breaks while nobody reads it breaks nothing else", async (t, server) => {
  const { store } = await lineTo(t, server, {
    plan: ({ operation }) => (operation === "GetObject" ? { truncateAfter: 10 } : undefined),
  });
  await putBytes(store, key, bytesOf(1, 5 * MiB));
  const objects: StoredObject[] = [];
  for (let i = 0; i < 3; i++) objects.push(await store.get(key));
  // The connections break while these go to and fro.
  for (let i = 0; i < 5; i++) await store.stat(key);
  for (const { body } of objects) await assert.rejects(collect(body), withCode("unavailable"));
});

test("a store that cannot be reached is unavailable, and surely nothing was done", async (t) => {
  Object.assign(process.env, CREDENTIALS);
  const store = new S3Store(await connectS3({ kind: "s3", bucket: "some-bucket", endpoint: "http://127.0.0.1:1" }));
  atEnd(t, () => store.close());
  for (const call of [() => putBytes(store, key, bytesOf(1, 1)), () => store.stat(key)]) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", true, false]);
      assert.match(
        error.message,
        /in the bucket some-bucket failed: connect ECONNREFUSED 127.0.0.1:1; nothing listens there/,
      );
      return true;
    });
  }
});

withS3("a store that falls silent is given up, and a write is uncertain then", async (t, server) => {
  const { store } = await lineTo(t, server, { idle: 100, plan: () => ({ lose: "silence" }) });
  await assert.rejects(putBytes(store, key, bytesOf(1, 1)), (error) => {
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.retryable, error.uncertain], ["unavailable", true, true]);
    assert.match(error.message, /nothing came or went for 0.1 seconds/);
    return true;
  });
  await assert.rejects(getBytes(store, key), (error) => {
    assert.ok(error instanceof StorageError && error.code === "unavailable" && !error.uncertain);
    return true;
  });
});

withS3("a store that falls silent for a minute is not asked for the same thing again", async (t, server) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const line = await lineTo(t, server, {
    idle: 100,
    plan: () => {
      t.mock.timers.tick(60_000);
      return { lose: "silence" };
    },
  });
  const operationsOf = async (call: Promise<unknown>): Promise<string[]> => {
    const before = line.passed.length;
    await assert.rejects(call, withCode("unavailable"));
    return line.operations().slice(before);
  };
  const { store } = line;
  assert.deepEqual(await operationsOf(getBytes(store, key)), ["GetObject"]);
  assert.deepEqual(await operationsOf(putBytes(store, key, bytesOf(1, 1))), ["PutObject"]);
  assert.deepEqual(await operationsOf(store.delete(key, { ifMatch: "1" })), ["DeleteObject"]);
  // What became of a write that has a condition is still looked for.
  const creation = putBytes(store, key, bytesOf(1, 1), { ifAbsent: true });
  assert.deepEqual(await operationsOf(creation), ["PutObject", "HeadObject"]);
});
