import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { Access, ActionTokens, ANONYMOUS, defaultRules } from "@holdall/identity";
import { parseRepositoryName, type RepositoryName } from "@holdall/lfs-protocol";
import { openSqlite } from "@holdall/metadata";
import {
  type Capabilities,
  MemoryStore,
  type ObjectKey,
  type ObjectStat,
  parseKey,
  type PresignOptions,
  type SignedRequest,
  StorageError,
  VerifyLayer,
} from "@holdall/object-store";
import { type BatchEntry, LfsService, sweepUploads, type TransferMode } from "./index.ts";

const folder = await mkdtemp(join(tmpdir(), "holdall-direct-"));
const metadata = await openSqlite({ file: join(folder, "holdall.db") });
after(async () => {
  await metadata.close();
  await rm(folder, { recursive: true, force: true });
});

const HOUR = 3600;
const requestId = "a request";

/** A store whose signed requests are names: `send` does what a client would do with them. */
class SigningStore extends MemoryStore {
  override readonly capabilities: Capabilities;
  readonly #checksSha256: boolean;
  readonly #signed = new Map<string, { key: ObjectKey; o: PresignOptions }>();
  readonly #marks = new Map<ObjectKey, string>();
  largest = Number.POSITIVE_INFINITY;
  reads = 0;

  constructor(o: { checksSha256: boolean }) {
    super();
    this.#checksSha256 = o.checksSha256;
    this.capabilities = {
      ...new MemoryStore().capabilities,
      presignGet: true,
      presignPut: true,
      presignSha256: o.checksSha256,
    };
  }

  override async presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    if (o.method === "PUT" && o.size > this.largest) throw new StorageError("invalid", "too large for one request");
    const url = `https://store.invalid/${this.#signed.size}`;
    this.#signed.set(url, { key, o });
    return { method: o.method, url, headers: {}, expiresAt: new Date() };
  }

  override async stat(key: ObjectKey): Promise<ObjectStat | undefined> {
    const stat = await super.stat(key);
    const mark = this.#marks.get(key);
    return stat === undefined || mark === undefined ? stat : { ...stat, mark };
  }

  override get(...args: Parameters<MemoryStore["get"]>): ReturnType<MemoryStore["get"]> {
    this.reads += 1;
    return super.get(...args);
  }

  keyOf({ url }: SignedRequest): ObjectKey {
    return this.#signed.get(url)?.key ?? assert.fail(`nothing was signed as ${url}`);
  }

  disposition({ url }: SignedRequest): string | undefined {
    const o = this.#signed.get(url)?.o;
    return o?.method === "GET" ? o.disposition : undefined;
  }

  async send(request: SignedRequest, bytes: Buffer): Promise<void> {
    const signed = this.#signed.get(request.url);
    assert.ok(signed?.o.method === "PUT");
    const { sha256, mark } = signed.o;
    assert.equal(sha256 !== undefined, this.#checksSha256);
    if (sha256 !== undefined) assert.equal(sha256Of(bytes), sha256, "the store refuses other bytes");
    await this.put(signed.key, Readable.from([bytes]), { size: bytes.length });
    if (mark !== undefined) this.#marks.set(signed.key, mark);
  }
}

function service(store: SigningStore, o: { mode?: TransferMode; rehashLimit?: number } = {}): LfsService {
  return new LfsService({
    store: new VerifyLayer(store),
    layout: "shared",
    metadata,
    access: new Access(defaultRules({ loopback: true })),
    actionTokens: new ActionTokens({ secret: Buffer.alloc(32, 1) }),
    createRepositories: true,
    actionLifetime: HOUR,
    maxBatchObjects: 1000,
    transferPolicy: () => ({ mode: o.mode ?? "direct", multipartThreshold: 16, partSize: 16 }),
    ...(o.rehashLimit === undefined ? {} : { rehashLimit: o.rehashLimit }),
    onEvent: () => undefined,
  });
}

let repositories = 0;
function newRepository(): RepositoryName {
  repositories += 1;
  return parseRepositoryName(`team/${repositories}`) ?? assert.fail();
}

let contents = 0;
function newObject(): { bytes: Buffer; object: { oid: string; size: number } } {
  contents += 1;
  const bytes = Buffer.from(`the object ${contents}`);
  return { bytes, object: { oid: sha256Of(bytes), size: bytes.length } };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

type Operation = "upload" | "download";

async function entry(
  lfs: LfsService,
  name: RepositoryName,
  operation: Operation,
  object: object & { oid: string },
): Promise<BatchEntry> {
  const { objects } = await lfs.batches.batch(ANONYMOUS, name, { operation, objects: [object] });
  return objects[0] ?? assert.fail();
}

/** What the batch offers for an upload that is to go directly. */
async function offered(lfs: LfsService, name: RepositoryName, object: { oid: string; size: number }) {
  const { upload, verify } = await entry(lfs, name, "upload", object);
  assert.ok(upload !== undefined && "request" in upload && verify !== undefined);
  const finish = (size = object.size, requested = name, oid = object.oid): Promise<string> =>
    lfs.direct.finish(verify.token, { repository: requested, oid: oid as never }, { size, requestId });
  return { request: upload.request, finish };
}

async function isThere(lfs: LfsService, name: RepositoryName, object: { oid: string }): Promise<boolean> {
  try {
    return (await entry(lfs, name, "download", object)).error === undefined;
  } catch {
    return false;
  }
}

const finalKey = (oid: string): ObjectKey => parseKey(`objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`);

for (const checksSha256 of [true, false]) {
  const kind = checksSha256 ? "a store that checks SHA-256" : "a store that does not check SHA-256";

  test(`${kind} gets the bytes directly, and nobody sees them before they are verified`, async () => {
    const store = new SigningStore({ checksSha256 });
    const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
    const { request, finish } = await offered(lfs, name, object);
    await assert.rejects(finish(), { code: "not-found" });
    await store.send(request, bytes);
    assert.ok(!(await isThere(lfs, name, object)));
    assert.equal(await finish(), "anonymous");
    assert.ok(await isThere(lfs, name, object));
    assert.equal((await store.stat(finalKey(object.oid)))?.size, bytes.length);
    assert.equal(await sweepable(store), 0, "nothing waits any more");
    await finish();
    assert.deepEqual(await entry(lfs, name, "upload", object), object, "there is nothing to do");
  });

  test(`${kind}: whoever sends nothing gets no link, though the object is there`, async () => {
    const store = new SigningStore({ checksSha256 });
    const [lfs, { bytes, object }] = [service(store), newObject()];
    const owner = newRepository();
    const first = await offered(lfs, owner, object);
    await store.send(first.request, bytes);
    await first.finish();
    const thief = newRepository();
    const { request, finish } = await offered(lfs, thief, object);
    await assert.rejects(finish());
    assert.ok(!(await isThere(lfs, thief, object)));
    // Sending the bytes is what earns it; the first owner's is as it was.
    await store.send(request, bytes);
    await finish();
    assert.ok((await isThere(lfs, thief, object)) && (await isThere(lfs, owner, object)));
  });

  test(`${kind}: a token is good for its upload only`, async () => {
    const store = new SigningStore({ checksSha256 });
    const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
    const { request, finish } = await offered(lfs, name, object);
    await store.send(request, bytes);
    await assert.rejects(finish(object.size + 1), { code: "wrong-body" });
    await assert.rejects(finish(object.size, newRepository()), { code: "invalid-action-token" });
    await assert.rejects(finish(object.size, name, newObject().object.oid), { code: "invalid-action-token" });
    assert.ok(!(await isThere(lfs, name, object)));
    await finish();
  });

  test(`${kind}: an object that is too large for one request goes through the server`, async () => {
    const store = new SigningStore({ checksSha256 });
    store.largest = 5;
    const { upload, verify } = await entry(service(store), newRepository(), "upload", newObject().object);
    assert.ok(upload !== undefined && "token" in upload);
    assert.equal(verify, undefined);
  });
}

async function sweepable(store: SigningStore): Promise<number> {
  return (await Array.fromAsync(store.list("holdall-incoming/"))).length;
}

test("an upload of the same object by another at the same time proves nothing", async () => {
  const store = new SigningStore({ checksSha256: true });
  const [lfs, { bytes, object }] = [service(store), newObject()];
  const [one, two] = [newRepository(), newRepository()];
  const [first, second] = [await offered(lfs, one, object), await offered(lfs, two, object)];
  await store.send(first.request, bytes);
  await store.send(second.request, bytes);
  await second.finish();
  await assert.rejects(first.finish(), { code: "busy" });
  assert.ok(!(await isThere(lfs, one, object)));
});

test("bytes that are not the object are removed and never come to where objects are", async () => {
  const store = new SigningStore({ checksSha256: false });
  for (const wrong of ["other bytes...", "longer than was announced"]) {
    const [lfs, name, { object }] = [service(store), newRepository(), newObject()];
    const { request, finish } = await offered(lfs, name, object);
    await store.send(request, Buffer.from(wrong.slice(0, wrong.length > 20 ? undefined : object.size)));
    await assert.rejects(finish(), { code: "wrong-body" });
    assert.equal(await store.stat(finalKey(object.oid)), undefined);
    assert.equal(await sweepable(store), 0);
    assert.ok(!(await isThere(lfs, name, object)));
  }
});

test("what is larger than the limit is not read again, and its size is compared all the same", async () => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name, { bytes, object }] = [service(store, { rehashLimit: 3 }), newRepository(), newObject()];
  const { request, finish } = await offered(lfs, name, object);
  await store.send(request, bytes.subarray(1));
  await assert.rejects(finish(), { code: "wrong-body" });
  await store.send(request, bytes);
  await finish();
  assert.equal(store.reads, 0);
});

test("what is larger than the limit, and there already, is earned by its bytes all the same", async () => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, owner, thief, { bytes, object }] = [service(store), newRepository(), newRepository(), newObject()];
  const first = await offered(lfs, owner, object);
  await store.send(first.request, bytes);
  await first.finish();
  const sparing = service(store, { rehashLimit: 3 });
  const { request, finish } = await offered(sparing, thief, object);
  await store.send(request, Buffer.alloc(object.size));
  await assert.rejects(finish(), { code: "wrong-body" });
  assert.ok(!(await isThere(lfs, thief, object)));
  await store.send(request, bytes);
  await finish();
  assert.ok(await isThere(lfs, thief, object));
});

test("what is larger than the limit, and has come there meanwhile, is not linked", async (t) => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name, { bytes, object }] = [service(store, { rehashLimit: 3 }), newRepository(), newObject()];
  const { request, finish } = await offered(lfs, name, object);
  await store.send(request, Buffer.alloc(object.size));
  const copy = store.copy.bind(store);
  t.mock.method(store, "copy", (async (...args) => {
    await store.put(finalKey(object.oid), Readable.from([bytes]), { size: bytes.length });
    return await copy(...args);
  }) satisfies typeof copy);
  await assert.rejects(finish(), { code: "busy" });
  assert.ok(!(await isThere(lfs, name, object)));
});

test("bytes that come after others were read are not published in their place", async (t) => {
  for (const before of ["get", "copy"] as const) {
    const store = new SigningStore({ checksSha256: false });
    const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
    const { request, finish } = await offered(lfs, name, object);
    const [earlier, later] = before === "get" ? [Buffer.alloc(object.size), bytes] : [bytes, Buffer.alloc(object.size)];
    await store.send(request, earlier);
    const call = store[before].bind(store) as (...args: readonly unknown[]) => Promise<unknown>;
    const mock = t.mock.method(store, before, async (...args: readonly unknown[]) => {
      mock.mock.restore();
      await store.send(request, later);
      return await call(...args);
    });
    await assert.rejects(finish(), { code: "busy" }, `before it is ${before}`);
    assert.equal(await store.stat(finalKey(object.oid)), undefined);
    assert.ok(!(await isThere(lfs, name, object)));
  }
});

test("whoever asks while another process ends the upload hears that it is done", async (t) => {
  const store = new SigningStore({ checksSha256: false });
  const [name, { bytes, object }] = [newRepository(), newObject()];
  const { upload, verify } = await entry(service(store), name, "upload", object);
  assert.ok(upload !== undefined && "request" in upload && verify !== undefined);
  await store.send(upload.request, bytes);
  const finish = (): Promise<string> =>
    service(store).direct.finish(
      verify.token,
      { repository: name, oid: object.oid as never },
      { ...object, requestId },
    );
  const get = store.get.bind(store);
  const mock = t.mock.method(store, "get", (async (...args) => {
    mock.mock.restore();
    await finish();
    return await get(...args);
  }) satisfies typeof get);
  await finish();
  assert.equal(mock.mock.callCount(), 1);
});

test("what is there already and whole stays", async () => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
  const { etag } = await store.put(finalKey(object.oid), Readable.from([bytes]), { size: bytes.length });
  const { request, finish } = await offered(lfs, name, object);
  await store.send(request, bytes);
  await finish();
  assert.equal((await store.stat(finalKey(object.oid)))?.etag, etag);
});

test("those who ask at the same time wait for one look at the bytes", async () => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
  const { request, finish } = await offered(lfs, name, object);
  await store.send(request, bytes);
  await Promise.all([finish(), finish(), finish()]);
  assert.equal(store.reads, 1);
});

test("a damaged copy is replaced by bytes that are proven", async () => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
  await store.put(finalKey(object.oid), Readable.from([Buffer.from("x")]), { size: 1 });
  const { request, finish } = await offered(lfs, name, object);
  await store.send(request, bytes);
  await finish();
  assert.equal((await store.stat(finalKey(object.oid)))?.size, bytes.length);
});

test("auto sends directly what costs nothing more: downloads, and uploads that the store checks", async () => {
  for (const checksSha256 of [true, false]) {
    const store = new SigningStore({ checksSha256 });
    const [direct, auto, proxy] = (["direct", "auto", "proxy"] as const).map((mode) => service(store, { mode }));
    assert.ok(direct !== undefined && auto !== undefined && proxy !== undefined);
    const [name, { bytes, object }] = [newRepository(), newObject()];
    const ways = async (lfs: LfsService, operation: Operation): Promise<string[]> =>
      Object.keys((await entry(lfs, name, operation, object))[operation] ?? {});
    assert.deepEqual(await ways(auto, "upload"), [checksSha256 ? "request" : "token"]);
    assert.deepEqual(await ways(proxy, "upload"), ["token"]);
    const { request, finish } = await offered(direct, name, object);
    await store.send(request, bytes);
    await finish();
    assert.deepEqual(await ways(auto, "download"), ["request"]);
    assert.deepEqual(await ways(proxy, "download"), ["token"]);
  }
});

test("however many links a batch asks for, others get their turn in between", async (t) => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name] = [service(store), newRepository()];
  const objects = Array.from({ length: 200 }, () => newObject().object);
  let turn = 0;
  let next = setImmediate(function again() {
    turn += 1;
    next = setImmediate(again);
  });
  t.after(() => clearImmediate(next));
  const signed: number[] = [];
  const presign = store.presign.bind(store);
  t.mock.method(store, "presign", (async (...args) => {
    signed[turn] = (signed[turn] ?? 0) + 1;
    return await presign(...args);
  }) satisfies typeof presign);
  const batch = lfs.batches.batch(ANONYMOUS, name, { operation: "upload", objects });
  assert.ok((await batch).objects.every(({ upload }) => upload !== undefined));
  assert.equal(
    signed.reduce((sum, one) => sum + one, 0),
    200,
  );
  assert.ok(signed.every((one) => one <= 16));
});

test("a download has the name that the client asks for", async () => {
  const store = new SigningStore({ checksSha256: true });
  const [lfs, name, { bytes, object }] = [service(store), newRepository(), newObject()];
  const { request, finish } = await offered(lfs, name, object);
  await store.send(request, bytes);
  await finish();
  const named = await entry(lfs, name, "download", { ...object, "x-filename": "../a b.bin" } as never);
  assert.ok(named.download !== undefined && "request" in named.download);
  assert.equal(store.disposition(named.download.request), 'attachment; filename="a b.bin"');
});

test("what nobody has had verified is removed after two days, or when its links are long over", async (t) => {
  const store = new SigningStore({ checksSha256: false });
  const { bytes, object } = newObject();
  const { request } = await offered(service(store), newRepository(), object);
  await store.send(request, bytes);
  // Where layouts have the name of the repository in front, a repository of that name has its objects there.
  for (const own of [`holdall-incoming/${object.oid}`, `holdall-incoming/${"a".repeat(40)}/${object.oid}`]) {
    await store.put(parseKey(own), Readable.from([bytes]), { size: bytes.length });
  }
  const DAY = 24 * 3_600_000;
  const now = Date.now();
  t.mock.timers.enable({ apis: ["Date"], now: now + 2 * DAY - 1000 });
  assert.equal(await sweepUploads(store, { uploads: metadata.uploads, lifetime: HOUR }), 0);
  t.mock.timers.setTime(now + 2 * DAY + 1000);
  assert.equal(
    await sweepUploads(store, { uploads: metadata.uploads, lifetime: (2 * DAY) / 1000 }),
    0,
    "its links still work",
  );
  assert.equal(await sweepUploads(store, { uploads: metadata.uploads, lifetime: HOUR }), 1);
  assert.equal(await store.stat(store.keyOf(request)), undefined);
  assert.equal(await sweepable(store), 2, "objects are not touched");
});

test("what cannot be removed is told, and keeps nothing else from being removed", async (t) => {
  const store = new SigningStore({ checksSha256: false });
  const [lfs, name] = [service(store), newRepository()];
  for (const { bytes, object } of [newObject(), newObject(), newObject()]) {
    await store.send((await offered(lfs, name, object)).request, bytes);
  }
  const [stuck] = await Array.fromAsync(store.list("holdall-incoming/"));
  const remove = store.delete.bind(store);
  t.mock.method(store, "delete", (async (...args) => {
    if (args[0] === stuck?.key) throw new StorageError("unavailable", "there is a lease on it");
    await remove(...args);
  }) satisfies typeof remove);
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 3 * 24 * 3_600_000 });
  const sweeping = sweepUploads(store, { uploads: metadata.uploads, lifetime: HOUR });
  await assert.rejects(sweeping, { message: "there is a lease on it" });
  assert.deepEqual(
    (await Array.fromAsync(store.list("holdall-incoming/"))).map(({ key }) => key),
    [stuck?.key],
  );
});
