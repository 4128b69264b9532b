import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFile, readdir, readFile, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { parseKey, StorageError, TraceLayer, type MultipartUploads, type ObjectStore } from "@holdall/object-store";
import { eventually } from "../../../test/support/eventually.ts";
import type { SeededObject } from "../../../test/support/seeded-objects.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { Session } from "../test/session.ts";
import type { Answer } from "./messages.ts";
import { UploadNote } from "./upload-note.ts";

const MIB = 1024 * 1024;
const PARTS = [1, 2, 3, 4, 5];

/** Notes uploads and their parts, of which some never come through. */
class WatchedParts extends TraceLayer {
  /** In the order in which they were sent. */
  readonly sent: number[] = [];
  created = 0;
  blocked: readonly number[] = [];
  /** Called before uploads are completed, and after. */
  beforeComplete: () => Promise<void> = async () => undefined;
  afterComplete: () => void = () => undefined;

  constructor(inner: ObjectStore) {
    super(inner, () => undefined);
  }

  override get multipart(): MultipartUploads {
    const inner = this.inner.multipart;
    assert.ok(inner !== undefined);
    return {
      limits: inner.limits,
      presignPart: (...args) => inner.presignPart(...args),
      parts: (...args) => inner.parts(...args),
      abort: (...args) => inner.abort(...args),
      create: (...args) => {
        this.created += 1;
        return inner.create(...args);
      },
      putPart: async (key, upload, number, body, o) => {
        if (this.blocked.includes(number) && o.signal !== undefined) {
          o.signal.throwIfAborted();
          await once(o.signal, "abort");
          throw o.signal.reason;
        }
        this.sent.push(number);
        return await inner.putPart(key, upload, number, body, o);
      },
      complete: async (...args) => {
        await this.beforeComplete();
        const completed = await inner.complete(...args);
        this.afterComplete();
        return completed;
      },
    };
  }
}

const inOrder = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

type Local = SeededObject & { readonly path: string };

interface Interrupted {
  readonly session: Session;
  readonly store: WatchedParts;
  readonly object: Local;
  readonly key: string;
  readonly noteFile: string;
  /** Sends it again, and to the end. */
  readonly again: () => Promise<Answer[]>;
}

/** An upload of five parts that was stopped when two of them were in the store, and noted. */
async function interrupted(t: TestContext): Promise<Interrupted> {
  const session = await Session.create(t, { onDisk: true });
  const store = new WatchedParts(session.store);
  session.seen = store;
  const object = await session.local(1, 40 * MIB - 5);
  const { oid, size, path } = object;
  const request = { event: "upload", oid, size, path };

  store.blocked = [3, 4, 5];
  const stop = new AbortController();
  const input = new PassThrough();
  const ended = session.run(input, new PassThrough().resume(), stop.signal);
  input.write(`${JSON.stringify({ event: "init", operation: "upload", remote: "" })}\n${JSON.stringify(request)}\n`);
  // A line for the upload, and one for each part.
  await eventually("two parts are noted", async () => (await noteLines(session)).length === 3);
  stop.abort(new Error("interrupted"));
  await ended;

  assert.deepEqual(inOrder(store.sent.splice(0)), [1, 2]);
  store.blocked = [];
  const [note = ""] = await session.left("holdall/uploads");
  return {
    session,
    store,
    object,
    key: `lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`,
    noteFile: join(session.folder, "holdall/uploads", note),
    again: () => session.says("upload", request),
  };
}

async function noteLines(session: Session): Promise<string[]> {
  const [note] = await session.left("holdall/uploads");
  if (note === undefined) return [];
  return (await readFile(join(session.folder, "holdall/uploads", note), "utf8")).split("\n").slice(0, -1);
}

async function assertDone({ session, object, key }: Interrupted, answers: readonly Answer[]): Promise<void> {
  assert.deepEqual(answers, [{ event: "complete", oid: object.oid }]);
  assert.deepEqual(await session.kept(key), object.bytes);
  assert.deepEqual(await session.left("holdall/uploads"), []);
}

test("an upload that was stopped goes on with the parts that are missing, and no others", async (t) => {
  const upload = await interrupted(t);
  assert.equal(await upload.session.kept(upload.key), undefined);
  await assertDone(upload, await upload.again());
  assert.deepEqual(inOrder(upload.store.sent), [3, 4, 5]);
  assert.equal(upload.store.created, 1);
});

test("a note that ends in half a line counts as far as it goes", async (t) => {
  const upload = await interrupted(t);
  const { length } = await readFile(upload.noteFile);
  await truncate(upload.noteFile, length - 10);
  await assertDone(upload, await upload.again());
  assert.equal(upload.store.sent.length, 4);
});

test("a note that says something else than the store or the file is not believed", async (t) => {
  const upload = await interrupted(t);
  const [head = "", ...parts] = (await readFile(upload.noteFile, "utf8")).trim().split("\n");
  const wrong = parts.map((line, index) =>
    index === 0 ? line.replace(/"etag":"[^"]*"/, '"etag":"another"') : line.replace(/"sha256":".{4}/, '"sha256":"0000'),
  );
  await writeFile(upload.noteFile, [head, ...wrong, ""].join("\n"));
  await appendFile(upload.noteFile, "null\n{}\n[]\nnonsense\n");
  await assertDone(upload, await upload.again());
  assert.deepEqual(inOrder(upload.store.sent), PARTS);
  assert.equal(upload.store.created, 1);
});

test("an upload that the store has given up begins anew", async (t) => {
  const upload = await interrupted(t);
  const { upload: name } = JSON.parse((await readFile(upload.noteFile, "utf8")).split("\n")[0] ?? "") as {
    upload: string;
  };
  await upload.session.store.multipart?.abort(parseKey(upload.key), name);
  await assertDone(upload, await upload.again());
  assert.deepEqual(inOrder(upload.store.sent), PARTS);
  assert.equal(upload.store.created, 2);
});

test("an upload that the store gives up at the last moment begins anew", async (t) => {
  const upload = await interrupted(t);
  const { upload: name } = JSON.parse((await noteLines(upload.session))[0] ?? "") as { upload: string };
  upload.store.beforeComplete = async () => {
    if (upload.store.created === 1) await upload.session.store.multipart?.abort(parseKey(upload.key), name);
  };
  await assertDone(upload, await upload.again());
  assert.deepEqual(inOrder(upload.store.sent.splice(3)), PARTS);
});

test("an upload that another process has completed meanwhile is done", async (t) => {
  const upload = await interrupted(t);
  let others = 0;
  upload.store.beforeComplete = async () => {
    others += 1;
    if (others === 1) await assertDone(upload, await upload.again());
  };
  await assertDone(upload, await upload.again());
  assert.equal(others, 2);
});

test("an upload whose last answer is lost is done if the object is there, and goes on where it was if it is not", async (t) => {
  const upload = await interrupted(t);
  const fail = (): never => {
    throw new StorageError("unavailable", "no answer came", { uncertain: true });
  };
  upload.store.beforeComplete = async () => fail();
  // What is there is damaged, and nobody may take it for the object.
  await upload.session.keep(upload.key, Buffer.from("short"));
  const [answer] = await upload.again();
  assert.ok(answer !== undefined && "error" in answer && answer.error?.code === 503);
  assert.deepEqual(inOrder(upload.store.sent.splice(0)), [3, 4, 5]);
  upload.store.beforeComplete = async () => undefined;
  upload.store.afterComplete = fail;
  await assertDone(upload, await upload.again());
  assert.deepEqual(upload.store.sent, []);
});

test("a file that is damaged after the interruption ends the upload, in the store too", async (t) => {
  const upload = await interrupted(t);
  const { upload: name } = JSON.parse((await noteLines(upload.session))[0] ?? "") as { upload: string };
  const { bytes, path } = upload.object;
  const damaged = Buffer.from(bytes);
  damaged[9 * MIB] = (damaged[9 * MIB] ?? 0) ^ 1;
  await writeFile(path, damaged);
  const [answer] = await upload.again();
  assert.ok(answer !== undefined && "error" in answer);
  assert.match(answer.error?.message ?? "", /in this clone is damaged, and was not sent/);
  assert.equal(await upload.session.kept(upload.key), undefined);
  assert.deepEqual(await upload.session.left("holdall/uploads"), []);
  const parts = upload.session.store.multipart?.parts(parseKey(upload.key), name) ?? assert.fail();
  await assert.rejects(Array.fromAsync(parts), { code: "not-found" });
  await writeFile(path, bytes);
  upload.store.sent.length = 0;
  await assertDone(upload, await upload.again());
  assert.deepEqual(inOrder(upload.store.sent), PARTS);
});

test("notes of uploads that nobody has gone on with for a month go when another begins, and nothing else does", async (t) => {
  const folder = await temporaryFolder(t, "upload-notes");
  const note = (key: string): UploadNote => new UploadNote(folder, { store: "test", key: parseKey(key) });
  const age = async (days: number): Promise<void> => {
    const then = new Date(Date.now() - days * 24 * 3600 * 1000);
    for (const name of await readdir(folder)) await utimes(join(folder, name), then, then);
  };
  const part = { number: 1, size: 5, etag: "e", sha256: "0".repeat(64) };
  await note("abandoned").begin("u1", 5);
  await writeFile(join(folder, "somebody-else's.jsonl"), "");
  await age(31);
  await note("recent").begin("u2", 5);
  await note("recent").add(part);
  assert.equal(await note("abandoned").read(), undefined);
  await age(29);
  await note("new").begin("u3", 5);
  assert.deepEqual(await note("recent").read(), { upload: "u2", partSize: 5, parts: new Map([[1, part]]) });
  assert.ok((await readdir(folder)).includes("somebody-else's.jsonl"));
  const elsewhere = new UploadNote(folder, { store: "another", key: parseKey("recent") });
  assert.equal(await elsewhere.read(), undefined, "the same object is not on its way to another store");
  // As when it goes while another process adds to it.
  await note("recent").remove();
  await note("recent").add(part);
  assert.equal(await note("recent").read(), undefined);
});
