import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { Access, ActionTokens, ANONYMOUS, defaultRules } from "@holdall/identity";
import {
  EMPTY_OID,
  objectPath,
  parseOid,
  parseRepositoryName,
  type Oid,
  type RepositoryName,
} from "@holdall/lfs-protocol";
import { openSqlite, type Metadata } from "@holdall/metadata";
import {
  FaultyLayer,
  FsStore,
  parseKey,
  StorageError,
  VerifyLayer,
  type Fault,
  type ObjectKey,
  type ObjectStore,
} from "@holdall/object-store";
import fc from "fast-check";
import { type BatchEntry, LfsService, sweepUploads } from "./index.ts";

const PART = 10;
const HOUR = 3600;
const MULTIPART = ["basic", "multipart-basic"];
const requestId = "a request";
const doing = { by: "ann", requestId };

const folder = await mkdtemp(join(tmpdir(), "holdall-parts-"));
const metadata = await openSqlite({ file: join(folder, "holdall.db") });
const disk = new FsStore(join(folder, "store"));
after(async () => {
  await metadata.close();
  await disk.close();
  await rm(folder, { recursive: true, force: true });
});

function service(o: { store?: ObjectStore; metadata?: Metadata; rehashLimit?: number } = {}): LfsService {
  return new LfsService({
    store: new VerifyLayer(o.store ?? disk),
    layout: "shared",
    metadata: o.metadata ?? metadata,
    access: new Access(defaultRules({ loopback: true })),
    actionTokens: new ActionTokens({ secret: Buffer.alloc(32, 1) }),
    createRepositories: true,
    actionLifetime: HOUR,
    maxBatchObjects: 1000,
    transferPolicy: () => ({ mode: "proxy", multipartThreshold: 2 * PART, partSize: PART }),
    ...(o.rehashLimit === undefined ? {} : { rehashLimit: o.rehashLimit }),
    onEvent: () => undefined,
  });
}

interface Content {
  readonly repository: RepositoryName;
  readonly oid: Oid;
  readonly size: number;
  readonly bytes: Buffer;
}

let contents = 0;
/** An object that nobody has sent yet, of a repository of its own. */
function newContent(size = 35): Content {
  contents += 1;
  const bytes = Buffer.alloc(size, `the bytes of object ${contents}. `);
  const repository = parseRepositoryName(`team/${contents}`) ?? assert.fail();
  return { repository, oid: oidOf(bytes), size, bytes };
}

function oidOf(bytes: Uint8Array): Oid {
  return parseOid(createHash("sha256").update(bytes).digest("hex")) ?? assert.fail();
}

async function batch(
  { batches }: LfsService,
  { repository, oid, size }: Content,
  transfers = MULTIPART,
): Promise<BatchEntry & { transfer: string }> {
  const { transfer, objects } = await batches.batch(ANONYMOUS, repository, {
    operation: "upload",
    transfers,
    objects: [{ oid, size }],
  });
  return { ...(objects[0] ?? assert.fail()), transfer };
}

/** The parts that the batch asks for. */
async function asked(lfs: LfsService, content: Content): Promise<number[]> {
  return (await batch(lfs, content)).parts?.parts.map(({ number }) => number) ?? [];
}

async function sendPart({ parts }: LfsService, content: Content, number: number): Promise<void> {
  const body = content.bytes.subarray((number - 1) * PART, number * PART);
  await parts.putPart(content, number, Readable.from([body]), { length: body.length, md5: undefined });
}

/** Sends what is asked for, and joins it. */
async function sendAll(lfs: LfsService, content: Content): Promise<void> {
  for (const number of await asked(lfs, content)) await sendPart(lfs, content, number);
  await lfs.parts.commit(content);
}

async function stored({ oid }: Content): Promise<Buffer | undefined> {
  const key = parseKey(`objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`);
  if ((await disk.stat(key)) === undefined) return undefined;
  return Buffer.concat(await Array.fromAsync((await disk.get(key)).body));
}

async function isLinked({ repository, oid }: Content): Promise<boolean> {
  const found = await metadata.repositories.find(repository);
  return found !== undefined && (await metadata.objects.linked(found.id, [oid])).has(oid);
}

/** What is kept of uploads that are not done, of any test. */
async function leftovers(): Promise<number> {
  return (await Array.fromAsync(disk.list("holdall-incoming/"))).length;
}

test("an object is linked when all its parts have come, are joined and are what they should be", async () => {
  const lfs = service();
  const content = newContent();
  const { transfer, parts } = await batch(lfs, content);
  assert.equal(transfer, "multipart-basic");
  assert.deepEqual(
    parts?.parts.map(({ number, position, size }) => [number, position, size]),
    [
      [1, 0, 10],
      [2, 10, 10],
      [3, 20, 10],
      [4, 30, 5],
    ],
  );
  for (const number of [3, 1, 4, 2]) {
    await assert.rejects(lfs.parts.finish(content, doing), { code: "incomplete" });
    await sendPart(lfs, content, number);
  }
  assert.equal(await stored(content), undefined, "nothing is there before it is joined and verified");
  await lfs.parts.commit(content);
  assert.equal(await isLinked(content), false);
  await lfs.parts.finish(content, doing);
  assert.equal(await isLinked(content), true);
  assert.deepEqual(await stored(content), content.bytes);
  assert.equal(await leftovers(), 0);
  await lfs.parts.commit(content);
  await lfs.parts.finish(content, doing);
  const again = await batch(lfs, content);
  assert.equal(again.transfer, "basic");
  assert.equal(again.parts, undefined, "there is nothing more to do");
});

test("which way is taken is decided by what the client can do and how large the objects are", async () => {
  const lfs = service();
  for (const [size, transfers, expected] of [
    [19, ["basic", "multipart-basic", "tus"], "basic"],
    [20, ["basic", "multipart-basic", "tus"], "multipart-basic"],
    [20, ["tus", "basic"], "tus"],
    [19, ["tus", "basic"], "basic"],
    [19, ["tus"], "tus"],
    [19, ["multipart-basic"], "multipart-basic"],
    [20, ["basic"], "basic"],
    [20, [], "basic"],
  ] as const) {
    assert.equal(
      (await batch(lfs, newContent(size), [...transfers])).transfer,
      expected,
      `${size} ${transfers.join()}`,
    );
  }
  await assert.rejects(batch(lfs, newContent(20), ["ssh"]), { code: "invalid" });
});

test("repeating the batch asks for the parts that have not come, in any process", async () => {
  const content = newContent();
  assert.deepEqual(await asked(service(), content), [1, 2, 3, 4]);
  await sendPart(service(), content, 2);
  await sendPart(service(), content, 4);
  assert.deepEqual(await asked(service(), content), [1, 3]);
  await sendAll(service(), content);
  assert.deepEqual((await batch(service(), content)).parts, {
    parts: [],
    commit: false,
    token: (await batch(service(), content)).parts?.token,
  });
  await service().parts.finish(content, doing);
  assert.equal(await isLinked(content), true);
});

test("many who begin an upload at once share it", async () => {
  const content = newContent();
  const services = Array.from({ length: 8 }, () => service());
  await Promise.all(services.map((lfs) => asked(lfs, content)));
  await sendPart(services[0] ?? assert.fail(), content, 1);
  for (const lfs of services) assert.deepEqual(await asked(lfs, content), [2, 3, 4]);
});

test("a part of the wrong size or digest is refused, and asked for again", async () => {
  const lfs = service();
  const content = newContent();
  await asked(lfs, content);
  const put = (number: number, bytes: Buffer, md5?: string): Promise<void> =>
    lfs.parts.putPart(content, number, Readable.from([bytes]), { length: bytes.length, md5 });
  const first = content.bytes.subarray(0, PART);

  await assert.rejects(put(1, first.subarray(1)), { code: "wrong-body" });
  await assert.rejects(put(1, Buffer.concat([first, first])), { code: "wrong-body" });
  await assert.rejects(put(4, first), { code: "wrong-body" }, "the last is shorter");
  await assert.rejects(put(5, first), { code: "not-found" });
  await assert.rejects(put(1, first, createHash("md5").update("another").digest("base64")), { code: "wrong-body" });
  assert.deepEqual(await asked(lfs, content), [1, 2, 3, 4]);

  await put(1, first, createHash("md5").update(first).digest("base64"));
  assert.deepEqual(await asked(lfs, content), [2, 3, 4]);
});

test("bytes that are not the object are refused and removed, and it can be sent anew", async () => {
  const lfs = service();
  const content = newContent();
  for (const number of await asked(lfs, content)) {
    await sendPart(lfs, { ...content, bytes: Buffer.alloc(content.size) }, number);
  }
  await lfs.parts.commit(content);
  await assert.rejects(lfs.parts.finish(content, doing), { code: "wrong-body" });
  assert.equal(await stored(content), undefined);
  assert.equal(await leftovers(), 0);
  assert.deepEqual(await asked(lfs, content), [1, 2, 3, 4]);
  await sendAll(lfs, content);
  await lfs.parts.finish(content, doing);
  assert.equal(await isLinked(content), true);
});

test("above the limit only the size is compared", async () => {
  const lfs = service({ rehashLimit: 34 });
  const content = newContent();
  for (const number of await asked(lfs, content)) {
    await sendPart(lfs, { ...content, bytes: Buffer.alloc(content.size) }, number);
  }
  await lfs.parts.finish(content, doing);
  assert.equal(await isLinked(content), true);
});

test("an answer does not name more parts than it can hold", async (t) => {
  const create = t.mock.method(disk.multipart, "create");
  const lfs = service();
  // Each has almost 10,000 parts.
  const objects = Array.from({ length: 6 }, () => ({ ...newContent(), size: 5 * 1024 ** 4 }));
  const { repository } = objects[0] ?? assert.fail();
  const asking = lfs.batches.batch(ANONYMOUS, repository, { operation: "upload", transfers: MULTIPART, objects });
  await assert.rejects(asking, { code: "too-many-objects" });
  assert.equal(create.mock.callCount(), 0);
  const fewer = { operation: "upload", transfers: MULTIPART, objects: objects.slice(0, 1) } as const;
  assert.equal((await lfs.batches.batch(ANONYMOUS, repository, fewer)).objects[0]?.parts?.parts.length, 9987);
});

test("a part that came to the store with another size has not come", async () => {
  const lfs = service();
  const content = newContent();
  for (const number of await asked(lfs, content)) await sendPart(lfs, content, number);
  const { upload } = (await lfs.parts.find(content)) ?? assert.fail();
  const incoming = parseKey(`holdall-incoming/${upload.place}`);
  await disk.multipart.putPart(incoming, upload.name, 2, Readable.from([Buffer.alloc(9)]), { size: 9 });
  await disk.multipart.putPart(incoming, upload.name, 5, Readable.from([Buffer.alloc(1)]), { size: 1 });
  await assert.rejects(lfs.parts.commit(content), { code: "incomplete" });
  assert.deepEqual(await asked(lfs, content), [2]);
  await sendPart(lfs, content, 2);
  await lfs.parts.finish(content, doing);
  assert.deepEqual(await stored(content), content.bytes);
});

test("an object whose bytes are missed is taken in again", async () => {
  const lfs = service();
  const content = newContent();
  await sendAll(lfs, content);
  await lfs.parts.finish(content, doing);
  const { id } = (await metadata.repositories.find(content.repository)) ?? assert.fail();
  await disk.delete(parseKey(objectPath("shared", content.repository, content.oid)));
  await metadata.objects.suspect(id, content.oid);
  await sendAll(lfs, content);
  await lfs.parts.finish(content, doing);
  assert.deepEqual(await stored(content), content.bytes);
});

test("of any number who end the same upload at once, in any number of processes, all succeed", async () => {
  const content = newContent();
  const services = Array.from({ length: 6 }, () => service());
  for (const number of await asked(service(), content)) await sendPart(service(), content, number);
  await Promise.all(
    services.map(async (lfs) => {
      await lfs.parts.commit(content);
      await lfs.parts.finish(content, doing);
    }),
  );
  assert.equal(await isLinked(content), true);
  assert.deepEqual(await stored(content), content.bytes);
  assert.equal(await leftovers(), 0);
});

test("whoever ends an upload that another process has ended, before it is looked for, succeeds", async (t) => {
  const content = newContent();
  await sendAll(service(), content);
  const find = metadata.uploads.find.bind(metadata.uploads);
  const mock = t.mock.method(metadata.uploads, "find", (async (...args) => {
    mock.mock.restore();
    await service().parts.finish(content, doing);
    return await find(...args);
  }) satisfies typeof find);
  await service().parts.finish(content, doing);
  assert.equal(mock.mock.callCount(), 1);
});

for (const call of ["get", "copy"] as const) {
  test(`whoever ends an upload that another process has ended, before it comes to ${call}, succeeds`, async (t) => {
    const content = newContent();
    await sendAll(service(), content);
    const method = disk[call].bind(disk) as (...args: readonly unknown[]) => Promise<unknown>;
    const mock = t.mock.method(disk, call, async (...args: readonly unknown[]) => {
      mock.mock.restore();
      await service().parts.finish(content, doing);
      return await method(...args);
    });
    await service().parts.finish(content, doing);
    assert.equal(mock.mock.callCount(), 1);
    assert.deepEqual(await stored(content), content.bytes);
  });
}

test("an upload that is given up leaves nothing", async () => {
  const lfs = service();
  for (const joined of [false, true]) {
    const content = newContent();
    if (joined) await sendAll(lfs, content);
    else await asked(lfs, content);
    await lfs.parts.abort(content);
    await lfs.parts.abort(content);
    assert.equal(await leftovers(), 0);
    await assert.rejects(sendPart(lfs, content, 1), { code: "not-found" });
    await assert.rejects(lfs.parts.commit(content), { code: "not-found" });
    await assert.rejects(lfs.parts.finish(content, doing), { code: "not-found" });
  }
});

test("the empty object has no parts, and is there after verify", async () => {
  const lfs = service();
  const content = { ...newContent(0), oid: EMPTY_OID };
  const { transfer, parts } = await batch(lfs, content, ["multipart-basic"]);
  assert.equal(transfer, "multipart-basic");
  assert.deepEqual(parts?.parts, []);
  await lfs.parts.finish(content, doing);
  assert.equal(await isLinked(content), true);
  await assert.rejects(lfs.parts.finish({ ...newContent(0), oid: newContent().oid }, doing), { code: "wrong-body" });
});

test("a token is for one object of one size in one repository, and for uploads", async () => {
  const lfs = service();
  const [content, other] = [newContent(), newContent()];
  const token = (await batch(lfs, content)).parts?.token ?? assert.fail();
  assert.deepEqual(lfs.parts.granted(token, content).object, {
    repository: content.repository,
    oid: content.oid,
    size: content.size,
  });
  assert.throws(() => lfs.parts.granted(token, { ...content, repository: other.repository }));
  assert.throws(() => lfs.parts.granted(token, { ...content, oid: other.oid }));
  assert.throws(() => lfs.parts.granted("", content));
  const download = new ActionTokens({ secret: Buffer.alloc(32, 1) }).issue({
    repository: content.repository,
    operation: "download",
    principal: "ann",
    expiresAt: new Date(Date.now() + 1000),
  });
  assert.throws(() => lfs.parts.granted(download(content.oid, content.size), content));
});

test("an object that no store takes is answered for itself", async () => {
  const lfs = service();
  const huge = { ...newContent(), size: 6 * 1024 ** 5 * 10_000 };
  assert.equal((await batch(lfs, { ...huge, size: Number.MAX_SAFE_INTEGER })).error, undefined);
  const { maxPartSize, maxParts } = disk.multipart.limits;
  assert.ok(maxPartSize * maxParts > 5 * 1024 ** 4, "5 TiB are possible");
  const terabytes = (await batch(lfs, { ...newContent(), size: 5 * 1024 ** 4 })).parts?.parts ?? assert.fail();
  assert.ok(terabytes.length <= maxParts);
  assert.equal(
    terabytes.reduce((sum, { size }) => sum + size, 0),
    5 * 1024 ** 4,
  );
});

/** Dies where a test says, as a process does: what it was doing is not done. */
function dying(where: (call: string, key: string) => boolean): { store: ObjectStore; died: () => boolean } {
  let dead = false;
  const plan = (call: Fault["call"], key: string): Fault | undefined => {
    if (dead || !where(call, key)) return undefined;
    dead = true;
    return { call, moment: { at: "before" }, error: new StorageError("unavailable", "the process was killed") };
  };
  return { store: new FaultyLayer(disk, plan), died: () => dead };
}

for (const [moment, where] of Object.entries({
  "before it looks at what was joined": (call: string, key: string) =>
    call === "stat" && key.startsWith("holdall-incoming/"),
  "while it reads it again": (call: string, key: string) => call === "get" && key.startsWith("holdall-incoming/"),
  "before it copies it": (call: string, key: string) => call === "stat" && key.startsWith("objects/"),
  "after it has linked it": (call: string, key: string) => call === "delete" && key.startsWith("holdall-incoming/"),
})) {
  test(`a server killed between joining and linking, ${moment}: the next batch heals it`, async () => {
    const content = newContent();
    await sendAll(service(), content);
    const { store, died } = dying(where);
    await assert.rejects(service({ store }).parts.finish(content, doing));
    assert.ok(died());

    const lfs = service();
    const { parts } = await batch(lfs, content);
    assert.deepEqual(parts?.parts ?? [], [], "no byte is sent again");
    await lfs.parts.finish(content, doing);
    assert.equal(await isLinked(content), true);
    assert.deepEqual(await stored(content), content.bytes);
  });
}

test("a server killed after copying and before linking: the next batch heals it", async () => {
  const content = newContent();
  await sendAll(service(), content);
  const { objects, repositories, locks, users, tokens, uploads } = metadata;
  const linkless: Metadata = {
    repositories,
    locks,
    users,
    tokens,
    uploads,
    objects: {
      linked: (...args) => objects.linked(...args),
      suspect: (...args) => objects.suspect(...args),
      link: async () => {
        throw new Error("the process was killed");
      },
    },
    ping: () => metadata.ping(),
    close: async () => undefined,
  };
  await assert.rejects(service({ metadata: linkless }).parts.finish(content, doing), /killed/);
  assert.deepEqual(await stored(content), content.bytes);
  assert.equal(await isLinked(content), false);

  const { parts } = await batch(service(), content);
  assert.deepEqual(parts?.parts, [], "no byte is sent again");
  await service().parts.finish(content, doing);
  assert.equal(await isLinked(content), true);
});

test("an upload that the store has given up is forgotten, and begins anew", async () => {
  const lfs = service();
  const content = newContent();
  await asked(lfs, content);
  await sendPart(lfs, content, 1);
  const { uploads } = metadata;
  const upload = (await uploads.find({ ...content, partSize: PART })) ?? assert.fail();
  await disk.multipart.abort(`holdall-incoming/${upload.place}` as ObjectKey, upload.name);
  assert.deepEqual(await asked(lfs, content), [1, 2, 3, 4]);
  assert.notEqual((await uploads.find({ ...content, partSize: PART }))?.place, upload.place);
});

test("a sweep forgets what the store has given up after a day, and nothing that goes on", async (t) => {
  const lfs = service();
  const [gone, underway] = [newContent(), newContent()];
  await asked(lfs, gone);
  await asked(lfs, underway);
  const { uploads } = metadata;
  const upload = (await uploads.find({ ...gone, partSize: PART })) ?? assert.fail();
  await disk.multipart.abort(parseKey(`holdall-incoming/${upload.place}`), upload.name);
  const now = Date.now();
  t.mock.timers.enable({ apis: ["Date"], now: now + 23 * HOUR * 1000 });
  await sweepUploads(disk, { uploads, lifetime: HOUR });
  assert.ok((await uploads.find({ ...gone, partSize: PART })) !== undefined);
  t.mock.timers.setTime(now + 25 * HOUR * 1000);
  await sweepUploads(disk, { uploads, lifetime: HOUR });
  assert.equal(await uploads.find({ ...gone, partSize: PART }), undefined);
  assert.ok((await uploads.find({ ...underway, partSize: PART })) !== undefined);
});

test("whatever comes, in whatever order, an object that is linked has its bytes", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("part" as const), number: fc.integer({ min: 1, max: 4 }), good: fc.boolean() }),
    fc.record({ do: fc.constantFrom("batch", "commit", "finish", "abort") }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const content = newContent();
      const bad = { ...content, bytes: Buffer.alloc(content.size) };
      for (const each of steps) {
        const lfs = service();
        try {
          if ("number" in each) await sendPart(lfs, each.good ? content : bad, each.number);
          else if (each.do === "batch") await asked(lfs, content);
          else if (each.do === "commit") await lfs.parts.commit(content);
          else if (each.do === "finish") await lfs.parts.finish(content, doing);
          else await lfs.parts.abort(content);
        } catch (error) {
          assert.match(String(error), /LfsError/);
        }
        if (await isLinked(content)) assert.deepEqual(await stored(content), content.bytes);
        else assert.equal(await stored(content), undefined);
      }
      // And whatever came, it can be sent.
      if (await isLinked(content)) return;
      await service().parts.abort(content);
      await sendAll(service(), content);
      await service().parts.finish(content, doing);
      assert.deepEqual(await stored(content), content.bytes);
    }),
    { numRuns: 40, seed: 4 },
  );
});
