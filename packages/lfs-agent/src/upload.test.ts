import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { FaultyLayer, StorageError, TraceLayer, type FaultPlan } from "@holdall/object-store";
import { seededObject } from "../../../test/support/seeded-objects.ts";
import { Session } from "../test/session.ts";
import type { Answer } from "./messages.ts";

const sharded = (oid: string): string => `lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;

const upload = ({ oid, size, path }: { oid: string; size: number; path: string }): object => ({
  event: "upload",
  oid,
  size,
  path,
});

function failure(answers: readonly Answer[]): { readonly code: number; readonly message: string } {
  const [answer] = answers;
  assert.ok(answer !== undefined && "error" in answer && answer.error !== undefined, JSON.stringify(answers));
  return answer.error;
}

/** The next calls meet these faults, one each; all others pass. */
function faults(...plan: readonly NonNullable<ReturnType<FaultPlan>>[]): FaultPlan {
  const left = [...plan];
  return (call) => (left[0]?.call === call ? left.shift() : undefined);
}

test("objects that are there cost one request each, and not one byte", async (t) => {
  const session = await Session.create(t);
  const objects = await Promise.all([1, 2, 3].map((seed) => session.local(seed, 1000)));
  for (const { oid, bytes } of objects) await session.keep(sharded(oid), bytes);
  await session.says("upload", ...objects.map(upload));
  assert.deepEqual(
    session.calls,
    objects.map(({ oid }) => `stat ${sharded(oid)}`),
  );
});

test("new objects cost two requests each, and the first one a look at how objects are kept", async (t) => {
  const session = await Session.create(t);
  const [one, two] = [await session.local(1, 1000), await session.local(2, 0)];
  await session.says("upload", upload(one), upload(two));
  assert.deepEqual(session.calls, [
    `stat ${sharded(one.oid)}`,
    "list lfs/",
    `put ${sharded(one.oid)}`,
    `stat ${sharded(two.oid)}`,
    `put ${sharded(two.oid)}`,
  ]);
  assert.deepEqual(await session.kept(sharded(one.oid)), one.bytes);
});

test("beside the objects of git-remote-s3 new ones are kept as it does, and its own are not sent again", async (t) => {
  const session = await Session.create(t);
  const [theirs, ours] = [await session.local(1, 1000), await session.local(2, 1000)];
  await session.keep(`lfs/${theirs.oid}`, theirs.bytes);
  await session.keep("lfs/.DS_Store", Buffer.from("of a Mac"));
  await session.says("upload", upload(theirs), upload(ours));
  assert.deepEqual(session.calls, [
    `stat ${sharded(theirs.oid)}`,
    "list lfs/",
    `stat lfs/${theirs.oid}`,
    `stat lfs/${ours.oid}`,
    `put lfs/${ours.oid}`,
  ]);
  assert.deepEqual(await session.kept(`lfs/${ours.oid}`), ours.bytes);
});

test("where the remote says that it is git-remote-s3's, no look is needed", async (t) => {
  const session = await Session.create(t);
  session.flat = true;
  const { oid, size, path } = await session.local(1, 1000);
  await session.says("upload", upload({ oid, size, path }));
  assert.deepEqual(session.calls, [`stat lfs/${oid}`, `put lfs/${oid}`]);
});

test("a copy of another size is damaged, and is replaced", async (t) => {
  for (const layout of ["sharded", "flat", "sharded, beside others that are flat"]) {
    const session = await Session.create(t);
    const object = await session.local(1, 1000);
    const key = layout === "flat" ? `lfs/${object.oid}` : sharded(object.oid);
    if (layout !== "sharded") await session.keep(`lfs/${seededObject(2, 10).oid}`, seededObject(2, 10).bytes);
    await session.keep(key, object.bytes.subarray(1));
    assert.deepEqual(await session.says("upload", upload(object)), [{ event: "complete", oid: object.oid }]);
    assert.deepEqual(await session.kept(key), object.bytes);
  }
});

for (const size of [1000, 33 * 1024 * 1024]) {
  test(`a file of ${size} bytes that is not the object is not sent; nothing is visible of it, and nothing left`, async (t) => {
    const session = await Session.create(t, { onDisk: true });
    const object = await session.local(1, size);
    object.bytes[size - 1] = (object.bytes[size - 1] ?? 0) ^ 1;
    await writeFile(object.path, object.bytes);
    const { code, message } = failure(await session.says("upload", upload(object)));
    assert.equal(code, 422);
    assert.match(message, /^the file of the object .* in this clone is damaged, and was not sent: "git lfs fsck"/);
    await writeFile(object.path, "short");
    assert.equal(failure(await session.says("upload", upload(object))).code, 422);
    assert.equal(await session.kept(sharded(object.oid)), undefined);
    assert.deepEqual(await session.left("holdall/uploads"), []);
  });
}

test("an object that is not in the clone is no matter if the store has it; otherwise it is said what to do", async (t) => {
  const session = await Session.create(t);
  const object = await session.local(1, 1000);
  await rm(object.path);
  const { code, message } = failure(await session.says("upload", upload(object)));
  assert.equal(code, 404);
  assert.match(message, /is neither in this clone nor in the store: fetch it .*, then push again/);
  await session.keep(sharded(object.oid), object.bytes);
  assert.deepEqual(await session.says("upload", upload(object)), [{ event: "complete", oid: object.oid }]);
});

test("a connection that breaks is tried again, and what counts as sent adds up", async (t) => {
  const session = await Session.create(t);
  const object = await session.local(1, 5_000_000);
  const broken = new StorageError("unavailable", "the connection broke");
  const fault = { call: "put", moment: { at: "body", bytes: 3_000_000 }, error: broken } as const;
  session.seen = new FaultyLayer(
    new TraceLayer(session.store, (line) => session.calls.push(line)),
    faults(fault, fault),
  );
  const answers = await session.saysRaw([{ event: "init", operation: "upload", remote: "" }, upload(object)]);
  assert.deepEqual(await session.kept(sharded(object.oid)), object.bytes);
  assert.equal(session.calls.filter((call) => call.startsWith("put")).length, 3);
  const told = answers.flatMap((answer) => ("bytesSoFar" in answer ? [answer.bytesSoFar] : []));
  assert.equal(told.at(-1), object.size);
});

test("one that stays broken fails with what the store said", async (t) => {
  const session = await Session.create(t);
  const object = await session.local(1, 1000);
  const broken = new StorageError("unavailable", "the connection broke");
  const fault = { call: "put", moment: { at: "before" }, error: broken } as const;
  session.seen = new FaultyLayer(session.store, faults(fault, fault, fault, fault));
  assert.deepEqual(failure(await session.says("upload", upload(object))), {
    code: 503,
    message: "the connection broke",
  });
});
