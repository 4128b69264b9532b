import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Access, ActionTokens, defaultRules } from "@holdall/identity";
import { EMPTY_OID, parseOid, parseRepositoryName, type Oid, type RepositoryName } from "@holdall/lfs-protocol";
import { openSqlite } from "@holdall/metadata";
import { FsStore, parseKey, StorageError, VerifyLayer } from "@holdall/object-store";
import fc from "fast-check";
import { LfsService } from "./index.ts";

const PART = 10;
const doing = { by: "ann", requestId: "a request" };

const folder = await mkdtemp(join(tmpdir(), "holdall-resumable-"));
const metadata = await openSqlite({ file: join(folder, "holdall.db") });
const disk = new FsStore(join(folder, "store"));
after(async () => {
  await metadata.close();
  await disk.close();
  await rm(folder, { recursive: true, force: true });
});

/** @param o.quietAfter milliseconds after which a connection gives way */
function service(o: { quietAfter?: number } = {}): LfsService {
  return new LfsService({
    store: new VerifyLayer(disk),
    layout: "shared",
    metadata,
    access: new Access(defaultRules({ loopback: true })),
    actionTokens: new ActionTokens({ secret: Buffer.alloc(32, 1) }),
    createRepositories: true,
    actionLifetime: 3600,
    maxBatchObjects: 1000,
    transferPolicy: () => ({ mode: "proxy", multipartThreshold: PART, partSize: PART }),
    ...(o.quietAfter === undefined ? {} : { quietAfter: o.quietAfter }),
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
  const oid = parseOid(createHash("sha256").update(bytes).digest("hex")) ?? assert.fail();
  return { repository: parseRepositoryName(`team/${contents}`) ?? assert.fail(), oid, size, bytes };
}

class LineCut extends Error {}

/** Bytes that come one after the other, until the line is cut. */
async function* cutAfter(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Uint8Array.of(byte);
  throw new LineCut();
}

/** Bytes that are given away. */
async function* whole(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield Uint8Array.from(bytes);
}

/** Sends from `offset` on, all that is left or up to `end`, where the line is cut. @returns the new offset */
async function send(lfs: LfsService, content: Content, offset: number, end?: number): Promise<number | undefined> {
  const { size, bytes } = content;
  const body = end === undefined ? whole(bytes.subarray(offset)) : cutAfter(bytes.subarray(offset, end));
  try {
    return await lfs.resumable.append(content, body, { ...doing, offset, length: size - offset });
  } catch (error) {
    if (!(error instanceof LineCut)) throw error;
    return undefined;
  }
}

async function isWhole({ repository, oid, bytes }: Content): Promise<boolean> {
  const found = await metadata.repositories.find(repository);
  if (found === undefined || !(await metadata.objects.linked(found.id, [oid])).has(oid)) return false;
  const { body } = await disk.get(parseKey(`objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`));
  assert.deepEqual(Buffer.concat(await Array.fromAsync(body)), bytes);
  return true;
}

async function leftovers(): Promise<string[]> {
  return (await Array.fromAsync(disk.list("holdall-incoming/"))).map(({ key }) => key);
}

test("an upload goes on where it was cut, at any byte, in any process, any number of times", async () => {
  const content = newContent();
  const cuts = [0, 1, 3, 10, 10, 11, 19, 20, 34];
  let offset = 0;
  for (const end of cuts) {
    assert.equal(await service().resumable.offset(content, doing), offset);
    await send(service(), content, offset, end);
    offset = end;
  }
  assert.equal(await service().resumable.offset(content, doing), 34);
  assert.equal(await isWhole(content), false);
  assert.equal(await send(service(), content, 34), 35);
  assert.equal(await isWhole(content), true);
  assert.equal(await service().resumable.offset(content, doing), 35);
  assert.deepEqual(await leftovers(), []);
});

test("what came in one go was hashed on its way, and is not read again to be proven", async (t) => {
  const content = newContent();
  const get = t.mock.method(disk, "get");
  const lfs = service();
  await send(lfs, content, 0);
  const inOneGo = get.mock.callCount();
  assert.equal(await isWhole(content), true);
  get.mock.resetCalls();

  const again = newContent();
  await send(lfs, again, 0, 20);
  await send(lfs, again, 20);
  assert.equal(get.mock.callCount(), inOneGo + 1);
  assert.equal(await isWhole(again), true);
});

test("a digest is known of the parts that were hashed, not of what somebody else has joined of others", async (t) => {
  const content = newContent();
  const complete = disk.multipart.complete.bind(disk.multipart);
  const mock = t.mock.method(disk.multipart, "complete", (async (...args) => {
    mock.mock.restore();
    const { parts } = service();
    await parts.putPart(content, 1, whole(Buffer.alloc(PART)), { length: PART, md5: undefined });
    await parts.commit(content);
    return await complete(...args);
  }) satisfies typeof complete);
  await assert.rejects(send(service(), content, 0), { code: "wrong-body" });
  assert.equal(await isWhole(content), false);
  await send(service(), content, 0);
  assert.equal(await isWhole(content), true);
});

test("a digest is known of the version that was joined, not of what waits there now", async (t) => {
  const content = newContent();
  const complete = disk.multipart.complete.bind(disk.multipart);
  const mock = t.mock.method(disk.multipart, "complete", (async (...args) => {
    mock.mock.restore();
    const version = await complete(...args);
    await disk.put(args[0], whole(Buffer.alloc(content.size)), { size: content.size });
    return version;
  }) satisfies typeof complete);
  await assert.rejects(send(service(), content, 0), { code: "wrong-body" });
  assert.equal(await isWhole(content), false);
});

test("parts beyond a gap, which came by another way, do not count", async () => {
  const lfs = service();
  const content = newContent();
  await lfs.parts.begin(content);
  for (const number of [2, 3]) {
    const part = content.bytes.subarray((number - 1) * PART, number * PART);
    await lfs.parts.putPart(content, number, whole(part), { length: PART, md5: undefined });
  }
  assert.equal(await lfs.resumable.offset(content, doing), 0);
  await send(lfs, content, 0, PART);
  assert.equal(await lfs.resumable.offset(content, doing), 3 * PART);
  await send(lfs, content, 3 * PART);
  assert.equal(await isWhole(content), true);
});

test("an object of one part goes as one body does", async (t) => {
  const create = t.mock.method(disk.multipart, "create");
  for (const size of [1, 9, 10]) {
    const content = newContent(size);
    assert.equal(await service().resumable.offset(content, doing), 0);
    assert.equal(await send(service(), content, 0), size);
    assert.equal(await isWhole(content), true);
    assert.equal(await service().resumable.offset(content, doing), size);
  }
  assert.equal(create.mock.callCount(), 0);
  const content = newContent(10);
  await assert.rejects(send(service(), { ...content, bytes: Buffer.alloc(10) }, 0), { code: "wrong-body" });
});

test("the empty object is there as soon as somebody asks how much of it is", async () => {
  const content = { ...newContent(0), oid: EMPTY_OID };
  assert.equal(await service().resumable.offset(content, doing), 0);
  assert.equal(await isWhole(content), true);
});

test("bytes that begin elsewhere, or are too many, are refused and change nothing", async () => {
  const lfs = service();
  const content = newContent();
  await send(lfs, content, 0, 12);
  for (const offset of [0, 10, 11, 13, 34]) {
    await assert.rejects(send(lfs, content, offset), { code: "wrong-offset" });
  }
  const tooMany = lfs.resumable.append(content, whole(Buffer.alloc(24)), { ...doing, offset: 12, length: 24 });
  await assert.rejects(tooMany, { code: "wrong-body" });
  assert.equal(await lfs.resumable.offset(content, doing), 12);
});

test("bytes may come in several requests that are each whole", async () => {
  const lfs = service();
  const content = newContent();
  for (const [offset, end] of [
    [0, 7],
    [7, 7],
    [7, 25],
    [25, 35],
  ] as const) {
    const length = end - offset;
    const body = whole(content.bytes.subarray(offset, end));
    assert.equal(await lfs.resumable.append(content, body, { ...doing, offset, length }), end);
    assert.equal(await isWhole(content), end === 35);
  }
  const nothing = lfs.resumable.append(content, whole(Buffer.alloc(0)), { ...doing, offset: 35, length: 0 });
  await assert.rejects(nothing, { code: "wrong-offset" }, "it is done");
});

test("bytes that are not the object are refused and removed, however they came", async () => {
  for (const cut of [undefined, 17]) {
    const lfs = service();
    const content = newContent();
    const before = await leftovers();
    const wrong = { ...content, bytes: Buffer.alloc(content.size) };
    if (cut !== undefined) await send(lfs, wrong, 0, cut);
    await assert.rejects(send(lfs, wrong, cut ?? 0), { code: "wrong-body" });
    assert.equal(await isWhole(content), false);
    assert.deepEqual(await leftovers(), before);
    assert.equal(await lfs.resumable.offset(content, doing), 0);
    await send(lfs, content, 0);
    assert.equal(await isWhole(content), true);
  }
});

test("a store that fails keeps what it had", async (t) => {
  const lfs = service();
  const content = newContent();
  const putPart = disk.multipart.putPart.bind(disk.multipart);
  const mock = t.mock.method(disk.multipart, "putPart", (async (...args) => {
    if (args[2] > 2) throw new StorageError("full", "the disk is full");
    return await putPart(...args);
  }) satisfies typeof putPart);
  await assert.rejects(send(lfs, content, 0), { code: "full" });
  mock.mock.restore();
  const offset = await lfs.resumable.offset(content, doing);
  assert.ok([0, 10, 20].includes(offset), "only whole parts");
  await send(lfs, content, offset);
  assert.equal(await isWhole(content), true);
});

test("while one sends, others are sent away; from one who is quiet the upload is taken", async () => {
  const content = newContent();
  const arrived = Promise.withResolvers<void>();
  const never = new Promise<void>(() => {});
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield* whole(content.bytes.subarray(0, 12));
    arrived.resolve();
    await never;
  }
  const lfs = service({ quietAfter: Number.POSITIVE_INFINITY });
  const first = lfs.resumable.append(content, hanging(), { ...doing, offset: 0, length: 35 });
  await arrived.promise;
  await assert.rejects(lfs.resumable.offset(content, doing), { code: "busy" });
  await assert.rejects(send(lfs, content, 0), { code: "busy" });
  void first.catch(() => undefined);

  const impatient = service({ quietAfter: -1 });
  const quiet = newContent();
  const waiting = Promise.withResolvers<void>();
  async function* silent(): AsyncGenerator<Uint8Array> {
    yield* whole(quiet.bytes.subarray(0, 12));
    waiting.resolve();
    await never;
  }
  const stale = impatient.resumable.append(quiet, silent(), { ...doing, offset: 0, length: 35 });
  void stale.catch(() => undefined);
  await waiting.promise;
  assert.equal(await impatient.resumable.offset(quiet, doing), 12, "what it had sent is kept");
  await assert.rejects(stale, { code: "busy" });
  await send(impatient, quiet, 12);
  assert.equal(await isWhole(quiet), true);
});

test("in whatever pieces, with whatever cuts, what is linked has its bytes", async () => {
  const cut = fc.record({ end: fc.integer({ min: 0, max: 35 }), broken: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { maxLength: 12 }), async (cuts) => {
      const content = newContent();
      let offset = 0;
      for (const { end, broken } of cuts) {
        if (end <= offset || offset === 35) continue;
        const bytes = content.bytes.subarray(offset, end);
        const length = broken ? 35 - offset : bytes.length;
        const body = broken ? cutAfter(bytes) : whole(bytes);
        const appended = service().resumable.append(content, body, { ...doing, offset, length });
        if (broken) await assert.rejects(appended, LineCut);
        else assert.equal(await appended, end);
        // A body that was cut at its end has come, but nobody has been told.
        offset = end;
        if (broken && end === 35) assert.equal(await isWhole(content), false);
        assert.equal(await service().resumable.offset(content, doing), offset);
        assert.equal(await isWhole(content), offset === 35);
      }
      if (offset < 35) await send(service(), content, offset);
      assert.equal(await isWhole(content), true);
    }),
    { numRuns: 40, seed: 7 },
  );
});
