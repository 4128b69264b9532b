import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  FaultyLayer,
  StorageError,
  TraceLayer,
  type GetOptions,
  type ObjectKey,
  type ObjectStore,
  type StoredObject,
} from "@holdall/object-store";
import { eventually } from "../../../test/support/eventually.ts";
import { seededObject, type SeededObject } from "../../../test/support/seeded-objects.ts";
import { Session } from "../test/session.ts";
import type { Answer } from "./messages.ts";

const sharded = (oid: string): string => `lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;

const download = ({ oid, size }: SeededObject): object => ({ event: "download", oid, size });

/** Takes the file of a download, as git-lfs does. */
async function taken(session: Session, object: SeededObject, answer: Answer | undefined): Promise<void> {
  assert.ok(answer !== undefined && "path" in answer && answer.path !== undefined, JSON.stringify(answer));
  assert.equal(dirname(answer.path), join(session.folder, "tmp"));
  assert.deepEqual(await readFile(answer.path), object.bytes);
  await rm(answer.path);
}

async function assertNothingLeft(session: Session): Promise<void> {
  assert.deepEqual([await session.left("tmp"), await session.left("incomplete")], [[], []]);
}

function failure(answers: readonly Answer[]): { readonly code: number; readonly message: string } {
  const [answer] = answers;
  assert.ok(answer !== undefined && "error" in answer && answer.error !== undefined, JSON.stringify(answers));
  return answer.error;
}

/** Notes from which byte on objects are asked for. */
class Starts extends TraceLayer {
  readonly starts: number[] = [];

  override get(key: ObjectKey, o?: GetOptions): Promise<StoredObject> {
    this.starts.push(o?.range?.start ?? 0);
    return super.get(key, o);
  }
}

/** Hands out the first bytes of an object, and then no more of them. */
class Stalling extends TraceLayer {
  readonly #bytes: number;

  constructor(inner: ObjectStore, bytes: number) {
    super(inner, () => undefined);
    this.#bytes = bytes;
  }

  override async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    const object = await super.get(key, o);
    return { ...object, body: this.#begin(object.body, o.signal ?? assert.fail("no signal")) };
  }

  async *#begin(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let left = this.#bytes;
    for await (const chunk of body) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left > 0) continue;
      await once(signal, "abort");
      throw signal.reason;
    }
  }
}

test("objects are found however they are kept, and where one was the next is looked for first", async (t) => {
  const kept: Readonly<Record<string, (object: SeededObject) => readonly [string, Uint8Array]>> = {
    "git-remote-s3": ({ oid, bytes }) => [`lfs/${oid}`, bytes],
    sharded: ({ oid, bytes }) => [sharded(oid), bytes],
    "lfs-s3, zstd": ({ oid, bytes }) => [`${oid}.zstd`, zstdCompressSync(bytes)],
    "lfs-s3, gzip": ({ oid, bytes }) => [`${oid}.gz`, gzipSync(bytes)],
    "lfs-s3, as it is": ({ oid, bytes }) => [oid, bytes],
  };
  for (const [name, place] of Object.entries(kept)) {
    const session = await Session.create(t);
    const objects = [1, 2, 3].map((seed) => seededObject(seed, 1_500_000));
    for (const object of objects) await session.keep(...place(object));
    const answers = await session.says("download", ...objects.map(download));
    for (const [index, object] of objects.entries()) await taken(session, object, answers[index]);
    const last = objects.slice(1).map((object) => `get ${place(object)[0]}`);
    assert.deepEqual(session.calls.slice(-2), last, name);
    await assertNothingLeft(session);
  }
});

test("an object that is nowhere: it is said what to do", async (t) => {
  const session = await Session.create(t);
  const { code, message } = failure(await session.says("download", download(seededObject(1, 10))));
  assert.equal(code, 404);
  assert.match(message, /is not in the store: push it from a clone that has it/);
  await assertNothingLeft(session);
});

test("an empty object comes", async (t) => {
  const session = await Session.create(t);
  const empty = seededObject(1, 0);
  await session.keep(sharded(empty.oid), empty.bytes);
  const [answer] = await session.says("download", download(empty));
  await taken(session, empty, answer);
});

test("a damaged copy is passed over for a sound one; without one nothing is handed out, and it is said what to do", async (t) => {
  const object = seededObject(1, 100_000);
  const flipped = Buffer.from(object.bytes);
  flipped[99_999] = (flipped[99_999] ?? 0) ^ 1;
  const { oid, bytes } = object;
  const damaged: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [sharded(oid), flipped, /has the SHA-256 [0-9a-f]{64}; remove it from the store, then push the object again/],
    [sharded(oid), bytes.subarray(1), /has 99999 bytes where the object has 100000; push the object again/],
    [sharded(oid), Buffer.concat([bytes, bytes]), /has 200000 bytes where the object has 100000; push/],
    [`${oid}.zstd`, zstdCompressSync(flipped), /has the SHA-256 [0-9a-f]{64}; push/],
    [`${oid}.zstd`, zstdCompressSync(Buffer.concat([bytes, bytes])), /has more than 100000 bytes; push/],
    [`${oid}.zstd`, zstdCompressSync(bytes).subarray(0, 50_000), /is no zstd data/],
    [`${oid}.gz`, gzipSync(bytes).subarray(0, 50_000), /is no gzip data/],
    [`${oid}.gz`, bytes, /is no gzip data/],
    [oid, flipped, /has the SHA-256 [0-9a-f]{64}; remove it/],
  ];
  for (const [key, content, message] of damaged) {
    const session = await Session.create(t);
    await session.keep(key, content);
    const error = failure(await session.says("download", download(object)));
    assert.match(error.message, message);
    assert.equal(error.code, 422);
    await assertNothingLeft(session);
    await session.keep(oid, bytes);
    const [answer] = await session.says("download", download(object));
    await taken(session, object, answer);
    await assertNothingLeft(session);
  }
});

test("a connection that breaks goes on where it was", async (t) => {
  const session = await Session.create(t);
  const object = seededObject(1, 3_000_000);
  await session.keep(sharded(object.oid), object.bytes);
  const broken = new StorageError("unavailable", "the connection broke");
  const bytes = [1_000_000, 500_000];
  const faulty = new FaultyLayer(session.store, (call) => {
    const cut = call === "get" ? bytes.shift() : undefined;
    return cut === undefined ? undefined : { call, moment: { at: "body", bytes: cut }, error: broken };
  });
  const starts = new Starts(faulty, () => undefined);
  session.seen = starts;
  const [answer] = await session.says("download", download(object));
  await taken(session, object, answer);
  assert.deepEqual(starts.starts, [0, 1_000_000, 1_500_000]);
});

test("packed bytes come again from the first one on", async (t) => {
  const session = await Session.create(t);
  const object = seededObject(1, 3_000_000);
  await session.keep(`${object.oid}.zstd`, zstdCompressSync(object.bytes));
  const broken = new StorageError("unavailable", "the connection broke");
  let cuts = 0;
  session.seen = new FaultyLayer(session.store, (call, key) => {
    if (call !== "get" || !key.endsWith(".zstd") || cuts++ > 0) return undefined;
    return { call, moment: { at: "body", bytes: 1_000_000 }, error: broken };
  });
  const [answer] = await session.says("download", download(object));
  await taken(session, object, answer);
  assert.equal(cuts, 2);
});

test("packed bytes that break off again and again do not come for ever", async (t) => {
  const session = await Session.create(t);
  const object = seededObject(1, 3_000_000);
  await session.keep(`${object.oid}.zstd`, zstdCompressSync(object.bytes));
  const broken = new StorageError("unavailable", "the connection broke");
  let cuts = 0;
  session.seen = new FaultyLayer(session.store, (call, key) => {
    if (call !== "get" || !key.endsWith(".zstd") || cuts > 10) return undefined;
    cuts += 1;
    return { call, moment: { at: "body", bytes: 1_000_000 }, error: broken };
  });
  const error = failure(await session.says("download", download(object)));
  assert.deepEqual([error, cuts], [{ code: 503, message: "the connection broke" }, 4]);
  await assertNothingLeft(session);
});

test("what was stopped goes on in a later process, and in git-lfs's own downloads: the bytes are where it looks", async (t) => {
  const session = await Session.create(t);
  const object = seededObject(1, 3_000_000);
  const { oid, bytes } = object;
  await session.keep(`lfs/${oid}`, bytes);
  session.seen = new Stalling(session.store, 1_000_000);
  const stop = new AbortController();
  const input = new PassThrough();
  const ended = session.run(input, new PassThrough().resume(), stop.signal);
  const lines = [{ event: "init", operation: "download", remote: "" }, download(object)];
  input.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await eventually("so much has come", async () => {
    const [file] = await session.left("tmp");
    return file !== undefined && (await stat(join(session.folder, "tmp", file))).size === 1_000_000;
  });
  stop.abort(new Error("interrupted"));
  await ended;
  assert.deepEqual([await session.left("tmp"), await session.left("incomplete")], [[], [`${oid}.part`]]);
  assert.deepEqual(await readFile(join(session.folder, "incomplete", `${oid}.part`)), bytes.subarray(0, 1_000_000));

  const starts = new Starts(session.store, () => undefined);
  session.seen = starts;
  const answers = await session.says("download", download(object));
  await taken(session, object, answers[0]);
  assert.deepEqual(starts.starts, [1_000_000, 1_000_000], "not at the first place, but from there at the second");
  await assertNothingLeft(session);
});

for (const [what, part] of [
  ["is not its beginning", Buffer.alloc(1000, 1)],
  ["is longer than it", Buffer.alloc(6000, 1)],
  ["is as long as it, but not it", Buffer.alloc(5000, 1)],
  ["is all of it", seededObject(1, 5000).bytes],
] as const) {
  test(`a part of an object that ${what} does no harm`, async (t) => {
    const session = await Session.create(t);
    const object = seededObject(1, 5000);
    await session.keep(sharded(object.oid), object.bytes);
    await mkdir(join(session.folder, "incomplete"), { recursive: true });
    await writeFile(join(session.folder, "incomplete", `${object.oid}.part`), part);
    const [answer] = await session.says("download", download(object));
    await taken(session, object, answer);
    await assertNothingLeft(session);
  });
}

test("a copy that is shorter than what came before is damaged", async (t) => {
  const session = await Session.create(t);
  const object = seededObject(1, 5000);
  await session.keep(sharded(object.oid), object.bytes.subarray(0, 500));
  await mkdir(join(session.folder, "incomplete"), { recursive: true });
  await writeFile(join(session.folder, "incomplete", `${object.oid}.part`), object.bytes.subarray(0, 1000));
  assert.match(failure(await session.says("download", download(object))).message, /has less than 5000 bytes/);
});
