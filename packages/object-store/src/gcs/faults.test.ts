import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { sharedGcsServer } from "../../../../test/support/gcs-server.ts";
import { freePort } from "../../../../test/support/service-process.ts";
import {
  assertAbsent,
  assertBytes,
  begin,
  being,
  bodyOf,
  bytesOf,
  collect,
  getBytes,
  key,
  listKeys,
  MiB,
  putBytes,
  readBody,
  TestBody,
  withCode,
} from "../contract/contract-test.ts";
import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";
import { BadLine, cutAfter, type Fault, type Passing } from "./fixtures/bad-line.ts";
import { makeGcsClient } from "./client.ts";
import { GcsStore } from "./store.ts";

const gcsServer = sharedGcsServer();

interface Setting {
  readonly line: BadLine;
  readonly bucket: string;
  /** Over the bad line. */
  readonly store: GcsStore;
  /** The same, but it waits for half a second only. */
  readonly impatient: GcsStore;
  /** Over a good one. */
  readonly direct: GcsStore;
}

function faulty(title: string, run: (setting: Setting) => Promise<void>): void {
  test(title, async (t: TestContext) => {
    const server = await gcsServer(t);
    if (server === undefined) return;
    const bucket = await server.createBucket();
    const line = await BadLine.start(t, server.endpoint);
    const client = makeGcsClient({ kind: "gs", bucket, endpoint: line.url });
    const [store, impatient] = [new GcsStore(client), new GcsStore(client, { idleSeconds: 0.5 })];
    const direct = new GcsStore(makeGcsClient({ kind: "gs", bucket, endpoint: server.endpoint }));
    try {
      await run({ line, bucket, store, impatient, direct });
    } finally {
      await Promise.all([store, impatient, direct].map((store) => store.close()));
    }
  });
}

/** The fault strikes the first requests that match, so many of them. */
function first(times: number, matches: (passing: Passing) => boolean, fault: Fault): BadLine["plan"] {
  let left = times;
  return (passing) => {
    if (left === 0 || !matches(passing)) return undefined;
    left -= 1;
    return fault;
  };
}

const any = (): boolean => true;
const inserts = ({ path }: Passing): boolean => path.includes("uploadType=multipart");
const looks = ({ method, path }: Passing): boolean => method === "GET" && !path.includes("alt=media");
const chunks = ({ method, path }: Passing): boolean => method === "PUT" && path.includes("upload_id");

function jsonError(status: number, reason: string, message: string): Fault {
  return { status, body: JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }) };
}

const busy = jsonError(503, "backendError", "Try again.");

/** The calls of a store, each once. */
function calls(store: GcsStore): Record<string, () => Promise<unknown>> {
  return {
    stat: () => store.stat(key),
    get: async () => await readBody((await store.get(key)).body),
    put: () => putBytes(store, key, bytesOf(2, 100)),
    "put of what is large": () => putBytes(store, key, bytesOf(2, 9 * MiB)),
    "conditional put": () => putBytes(store, parseKey("objects/new"), bytesOf(2, 100), { ifAbsent: true }),
    copy: () => store.copy(key, parseKey("copies/one")),
    list: () => collect(store.list("")),
    "create of an upload": () => store.multipart.create(key),
    delete: () => store.delete(key),
  };
}

faulty("a store that is busy for a moment is asked again", async ({ line, store, direct }) => {
  await putBytes(direct, key, bytesOf(1, 100));
  for (const [name, call] of Object.entries(calls(store))) {
    line.plan = first(2, any, busy);
    await assert.doesNotReject(call(), name);
  }
});

faulty("a store that stays busy is throttled, in its own words", async ({ line, bucket, store }) => {
  line.plan = () => busy;
  for (const [name, call] of Object.entries(calls(store))) {
    line.takeRequests();
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof StorageError, name);
      assert.equal(error.code, "throttled", name);
      assert.ok(error.retryable, name);
      assert.match(error.message, new RegExp(`in gs://${bucket} failed: 503 backendError "Try again."`), name);
      return true;
    });
    assert.ok(line.takeRequests().length <= 8, name);
  }
});

faulty("who may not is denied, and nothing counts as absent", async ({ line, bucket, store }) => {
  const words = "ci@example.iam.gserviceaccount.com does not have storage.objects.get access to the object.";
  line.plan = () => jsonError(403, "forbidden", words);
  for (const [name, call] of Object.entries(calls(store))) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof StorageError, name);
      assert.deepEqual([error.code, error.retryable], ["denied", false], name);
      assert.ok(error.message.includes(words) && error.message.includes(`gs://${bucket}`), error.message);
      assert.match(error.message, /; grant this identity storage\.objects\.get on the bucket/);
      return true;
    });
  }
});

faulty("a bucket that is not there is named, and not taken for objects that are not", async ({ line }) => {
  const client = makeGcsClient({ kind: "gs", bucket: "no-such-bucket", endpoint: line.url });
  const store = new GcsStore(client);
  for (const [name, call] of Object.entries(calls(store))) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof StorageError, name);
      assert.deepEqual([error.code, error.retryable], ["unavailable", false], `${name}: ${error.message}`);
      assert.match(
        error.message,
        /in gs:\/\/no-such-bucket failed: 404 .*; create the bucket or correct the store URL$/,
      );
      return true;
    });
  }
  await store.close();
});

faulty("an answer that is not the store's is no success", async ({ line, store }) => {
  line.plan = () => ({ status: 200, body: "<html>Please log in</html>", headers: { "Content-Type": "text/html" } });
  for (const [name, call] of Object.entries(calls(store))) {
    if (name !== "delete") await assert.rejects(call(), withCode("unavailable"), name);
  }
});

faulty("a store that cannot be reached is named, and nothing is uncertain", async ({ line }) => {
  const account = {
    ...makeGcsClient({ kind: "gs", bucket: "bucket", endpoint: line.url }),
    credentials: async () => ({}),
  };
  const closed = `http://127.0.0.1:${await freePort()}`;
  for (const [endpoint, words] of [
    [closed, /connect ECONNREFUSED 127\.0\.0\.1:\d+; look at the network and the endpoint of the store URL$/],
    [line.url.replace("http:", "https:"), /; it does not speak TLS: is the endpoint meant to be http\?$/],
  ] as const) {
    const store = new GcsStore({ ...account, endpoint });
    await assert.rejects(putBytes(store, key, bytesOf(1, 100), { ifAbsent: true }), (error) => {
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.uncertain], ["unavailable", false]);
      assert.match(error.message, words);
      return true;
    });
    await store.close();
  }
});

faulty("nothing follows a redirection", async ({ line, store }) => {
  line.plan = () => ({ status: 307, headers: { Location: `${line.url}/elsewhere` } });
  for (const [name, call] of Object.entries(calls(store))) await assert.rejects(call(), withCode("unavailable"), name);
  assert.ok(!line.takeRequests().some((request) => request.includes("elsewhere")));
});

faulty("a body that ends too soon is an error, not an end", async ({ line, store, direct }) => {
  await putBytes(direct, key, bytesOf(1, MiB));
  for (const range of [undefined, { start: 100_000, end: 900_000 }]) {
    line.plan = first(1, any, { download: cutAfter(300_000) });
    const { body } = await store.get(key, range === undefined ? {} : { range });
    let length = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of body) length += chunk.length;
    };
    await assert.rejects(read(), (error) => {
      assert.ok(withCode("unavailable")(error));
      assert.match(String(error), /300000 of (1048576|800001) bytes/);
      return true;
    });
    assert.equal(length, 300_000);
    assert.equal((await readBody(body)).length, 0, "it has nothing more to give");
  }
});

faulty("a body that ends too soon is an error also when its end looks right", async ({ line, store }) => {
  const headers = {
    "x-goog-generation": "1",
    "Last-Modified": new Date(0).toUTCString(),
    "Content-Range": "bytes 0-9/10",
  };
  line.plan = () => ({ status: 206, headers, body: "123456789" });
  const { body } = await store.get(key, { range: { start: 0 } });
  await assert.rejects(readBody(body), (error) => {
    assert.ok(withCode("unavailable")(error));
    assert.match(String(error), /only 9 of 10 bytes came/);
    return true;
  });
  line.plan = () => ({ status: 206, headers: { ...headers, "Content-Range": "bytes 1-9/10" }, body: "123456789" });
  await assert.rejects(store.get(key, { range: { start: 0 } }), withCode("unavailable"), "other bytes than asked for");
});

faulty("a signal ends what waits for a silent store", async ({ line, store }) => {
  const reason = new Error("the caller's reason");
  const other = parseKey("copies/one");
  const upload = "01234567-89ab-4cde-8f01-23456789abcd";
  const part = { number: 1, size: 1, etag: "1" };
  const calls: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    stat: (signal) => store.stat(key, { signal }),
    get: (signal) => store.get(key, { signal }),
    put: (signal) => putBytes(store, key, bytesOf(1, 10), { signal }),
    "conditional put": (signal) => putBytes(store, key, bytesOf(1, 10), { signal, ifAbsent: true }),
    "large put": (signal) => putBytes(store, key, bytesOf(1, 9 * MiB), { signal }),
    delete: (signal) => store.delete(key, { signal }),
    "conditional deletion": (signal) => store.delete(key, { signal, ifMatch: "1" }),
    copy: (signal) => store.copy(key, other, { signal }),
    list: (signal) => collect(store.list("", { signal })),
    create: (signal) => store.multipart.create(key, { signal }),
    parts: (signal) => collect(store.multipart.parts(key, upload, { signal })),
    complete: (signal) => store.multipart.complete(key, upload, [part], { signal }),
    abort: (signal) => store.multipart.abort(key, upload, { signal }),
  };
  for (const [name, call] of Object.entries(calls)) {
    const controller = new AbortController();
    line.plan = () => {
      setImmediate(() => controller.abort(reason));
      return { silent: true };
    };
    line.takeRequests();
    await assert.rejects(call(controller.signal), being(reason), name);
    assert.equal(line.takeRequests().length, 1, name);
  }
});

faulty("a store that falls silent is not waited for for ever", async ({ line, impatient: store, direct }) => {
  await putBytes(direct, key, bytesOf(1, MiB));
  line.plan = () => ({ silent: true });
  await assert.rejects(store.stat(key), (error) => {
    assert.ok(withCode("unavailable")(error));
    assert.match(String(error), /ETIMEDOUT nothing came for 0.5 s/);
    return true;
  });
  line.plan = first(1, any, { download: stall(300_000) });
  const { body } = await store.get(key);
  await assert.rejects(readBody(body), withCode("unavailable"));
});

faulty("a reader may take its time", async ({ line, impatient: store, direct }) => {
  await putBytes(direct, key, bytesOf(1, 4 * MiB));
  const { first, rest } = await begin(await store.get(key));
  // Longer than the store is waited for.
  for (const end = Date.now() + 700; Date.now() < end;) await getBytes(direct, key);
  assertBytes(Buffer.concat([first, await readBody({ [Symbol.asyncIterator]: () => rest })]), bytesOf(1, 4 * MiB));
  assert.equal(line.takeRequests().length, 1);
});

faulty("a chunk whose connection breaks goes on from what the store has of it", async ({ line, store, direct }) => {
  const bytes = bytesOf(1, 20 * MiB + 1000);
  for (const which of [1, 2, 3]) {
    let chunk = 0;
    line.plan = (passing) => {
      if (!chunks(passing)) return undefined;
      chunk += 1;
      return chunk === which ? { upload: cutAfter(3 * MiB) } : undefined;
    };
    await putBytes(store, key, bytes);
    assertBytes(await getBytes(direct, key), bytes);
    const sent = line.passings.reduce((total, { uploaded }) => total + uploaded, 0);
    assert.ok(sent < bytes.length + MiB, `${sent} bytes were sent`);
    const asked = line.passings.find(({ headers }) => headers["content-range"] === `bytes */${bytes.length}`);
    assert.ok(asked !== undefined, "it asked how far the store is");
    line.takeRequests();
  }
});

faulty("a line that breaks again and again, but gets on, is no reason to give up", async ({ line, store, direct }) => {
  const bytes = bytesOf(1, 9 * MiB);
  line.plan = (passing) => (chunks(passing) ? { upload: cutAfter(MiB + 1) } : undefined);
  await putBytes(store, key, bytes);
  assertBytes(await getBytes(direct, key), bytes);
});

faulty("an answer to a chunk that is lost is asked for", async ({ line, store, direct }) => {
  const bytes = bytesOf(1, 20 * MiB);
  for (const which of [1, 3]) {
    let chunk = 0;
    line.plan = (passing) => {
      if (!chunks(passing)) return undefined;
      chunk += 1;
      return chunk === which ? { lost: "answer" } : undefined;
    };
    await putBytes(store, key, bytes, { ifAbsent: true });
    assertBytes(await getBytes(direct, key), bytes);
    assert.equal(line.passings.filter(chunks).length, 4, "three chunks and a question");
    line.takeRequests();
    await direct.delete(key);
  }
});

faulty("a large put that fails gives its session up and leaves nothing", async ({ line, store, direct }) => {
  const error = new Error("the body's own");
  const sent = Promise.withResolvers<Uint8Array>();
  line.plan = (passing) => {
    if (chunks(passing)) sent.resolve(bytesOf(2, 10));
    return undefined;
  };
  const failing = new TestBody(
    (function* () {
      yield bytesOf(1, 9 * MiB);
      yield sent.promise;
      throw error;
    })(),
  );
  await assert.rejects(store.put(key, failing, { size: 18 * MiB }), being(error));
  const begun = ["POST /upload/o", "PUT /upload/o?session"];
  assert.deepEqual(line.takeRequests(), [...begun, "DELETE /upload/o?session"]);

  line.plan = (passing) => (chunks(passing) ? jsonError(403, "forbidden", "No more.") : undefined);
  await assert.rejects(putBytes(store, key, bytesOf(1, 17 * MiB)), withCode("denied"));
  assert.deepEqual(line.takeRequests(), [...begun, "DELETE /upload/o?session"]);

  const controller = new AbortController();
  line.plan = (passing) => {
    if (chunks(passing)) controller.abort(error);
    return undefined;
  };
  const body = bodyOf(bytesOf(1, 17 * MiB));
  await assert.rejects(store.put(key, body, { size: 17 * MiB, signal: controller.signal }), being(error));
  assert.ok(body.over);
  assert.deepEqual(line.takeRequests(), [...begun, "DELETE /upload/o?session"]);
  await assertAbsent(direct, key);
});

faulty("a conditional put whose answer never came is known by its mark", async ({ line, impatient: store, direct }) => {
  for (const fault of [{ lost: "answer" }, { silent: true }, { download: cutAfter(5) }] as const) {
    line.plan = first(1, inserts, fault);
    const version = await putBytes(store, key, bytesOf(1, 100), { ifAbsent: true });
    assert.deepEqual(line.takeRequests(), ["POST /upload/o", "GET /o/objects/one"]);
    assert.equal((await direct.stat(key))?.etag, version.etag);
    line.plan = first(1, inserts, fault);
    const second = await putBytes(store, key, bytesOf(2, 100), { ifMatch: version.etag });
    assert.deepEqual(line.takeRequests(), ["POST /upload/o", "GET /o/objects/one"]);
    assert.equal((await direct.stat(key))?.etag, second.etag);
    await direct.delete(key);
  }
});

faulty("a conditional put knows itself also by the conflict with itself", async ({ line, store, direct }) => {
  const lost = first(1, inserts, { lost: "answer" });
  const unseen = first(4, looks, { lost: "request" });
  line.plan = (passing) => lost(passing) ?? unseen(passing);
  const version = await putBytes(store, key, bytesOf(1, 100), { ifAbsent: true });
  assert.deepEqual(line.takeRequests().filter((request) => request.startsWith("POST")).length, 2);
  assert.equal((await direct.stat(key))?.etag, version.etag);
});

faulty(
  "a conditional put that never arrived is sent again, and may have lost by then",
  async ({ line, store, direct }) => {
    line.plan = first(1, inserts, { lost: "request" });
    await putBytes(store, key, bytesOf(1, 100), { ifAbsent: true });
    assert.deepEqual(line.takeRequests(), ["POST /upload/o", "GET /o/objects/one", "POST /upload/o"]);
    await direct.delete(key);
    line.plan = first(1, inserts, { lost: "request" });
    const body = bodyOf(bytesOf(1, 100));
    const winner = putBytes(direct, key, bytesOf(2, 50));
    await winner;
    await assert.rejects(store.put(key, body, { size: 100, ifAbsent: true }), (error) => {
      assert.ok(error instanceof StorageError);
      assert.deepEqual([error.code, error.uncertain], ["conflict", true]);
      return true;
    });
    assertBytes(await getBytes(direct, key), bytesOf(2, 50));
  },
);

faulty("a lost race is a conflict, and certain", async ({ line, store, direct }) => {
  const { etag } = await putBytes(direct, key, bytesOf(1, 100));
  await putBytes(direct, key, bytesOf(2, 100));
  for (const o of [{ ifAbsent: true }, { ifMatch: etag }]) {
    for (const size of [10, 9 * MiB]) {
      await assert.rejects(putBytes(store, key, bytesOf(3, size), o), (error) => {
        assert.ok(error instanceof StorageError);
        assert.deepEqual([error.code, error.uncertain, error.retryable], ["conflict", false, false]);
        return true;
      });
    }
  }
  assert.equal(line.takeRequests().filter((request) => request.startsWith("GET")).length, 0);
});

faulty("what cannot be known is uncertain, and nothing else", async ({ line, store }) => {
  for (const [size, matches, uncertain] of [
    [100, any, true],
    [9 * MiB, any, false],
    [9 * MiB, (passing: Passing) => passing.headers["content-range"]?.startsWith("bytes 0-") === true, false],
    [9 * MiB, (passing: Passing) => /-9437183|\*/.test(passing.headers["content-range"] ?? "") || looks(passing), true],
  ] as const) {
    line.plan = (passing) => (matches(passing) ? { lost: "request" } : undefined);
    for (const o of [{}, { ifAbsent: true }]) {
      await assert.rejects(putBytes(store, key, bytesOf(1, size), o), (error) => {
        assert.ok(error instanceof StorageError);
        assert.deepEqual([error.code, error.uncertain, error.retryable], ["unavailable", uncertain, true]);
        return true;
      });
    }
  }
});

faulty("a conditional deletion whose answer is lost is not called another's", async ({ line, store, direct }) => {
  const { etag } = await putBytes(direct, key, bytesOf(1, 100));
  line.plan = first(1, any, { lost: "answer" });
  await assert.rejects(store.delete(key, { ifMatch: etag }), (error) => {
    assert.ok(error instanceof StorageError);
    assert.deepEqual([error.code, error.uncertain], ["conflict", true]);
    return true;
  });
  const second = await putBytes(direct, key, bytesOf(1, 100));
  line.plan = first(1, any, { lost: "request" });
  await store.delete(key, { ifMatch: second.etag });
  await assertAbsent(direct, key);
});

faulty("two that put together what one of them was told too late", async ({ line, store, direct }) => {
  const upload = await direct.multipart.create(key);
  const part = await direct.multipart.putPart(key, upload, 1, bodyOf(bytesOf(1, 100)), { size: 100 });
  line.plan = first(1, ({ path }) => path.includes("/compose"), { lost: "answer" });
  const version = await store.multipart.complete(key, upload, [part], { ifAbsent: true });
  assert.equal((await direct.stat(key))?.etag, version.etag);
  assert.deepEqual(await listKeys(direct), [key]);
});

/** Lets so many bytes through, and then nothing more. */
function stall(bytes: number): NonNullable<Extract<Fault, { download?: unknown }>["download"]> {
  return async function* (_, body) {
    let left = bytes;
    for await (const chunk of body) {
      if (left > 0) yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) await new Promise<never>(() => undefined);
    }
  };
}
