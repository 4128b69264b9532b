import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import { encodePkt, pktLine, readPkts, type PktMark } from "@holdall/git-protocol";
import { GitStoreError } from "@holdall/git-store";
import { FaultyLayer, MemoryStore, StorageError, type ObjectStore } from "@holdall/object-store";
import { Person } from "../test/person.ts";
import { Cache } from "./cache.ts";
import { serveUploadPack } from "./connect.ts";
import { Input } from "./input.ts";
import { PacksRepository } from "./packs-repository.ts";
import type { Listing } from "./repository.ts";

/** A remote of one commit, and a cache that is not there yet, in a folder with any name. */
async function remote(t: TestContext, folder = "cache") {
  const root = await mkdtemp(join(tmpdir(), "holdall-connect-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const store = new MemoryStore();
  const ada = await Person.create(t);
  const commit = ada.commit();
  await ada.push(store, { main: commit });
  return { ada, store, commit, cache: Cache.at(join(root, folder), "memory") };
}

const mark = (kind: PktMark): Buffer => encodePkt({ kind });
const command = (name: string, ...args: readonly string[]): Buffer =>
  Buffer.concat([
    pktLine(`command=${name}\n`),
    mark("delimiter"),
    ...args.map((arg) => pktLine(`${arg}\n`)),
    mark("flush"),
  ]);
const fetching = (...oids: readonly string[]): Buffer =>
  command("fetch", "no-progress", ...oids.map((oid) => `want ${oid}`), "done");

const denying = (store: ObjectStore): ObjectStore =>
  new FaultyLayer(store, (call) => ({
    call,
    moment: { at: "before" },
    error: new StorageError("denied", "no right to it"),
  }));

interface Session {
  readonly said: string[];
  /** What was asked of the store. */
  readonly asked: string[];
  readonly failed: unknown;
}

/** @returns what git hears: each line as text, and no packs */
async function serve(
  { cache, store }: { readonly cache: Cache; readonly store: ObjectStore },
  requests: Iterable<Uint8Array>,
  o: { readonly fromPromisor?: boolean; readonly listing?: Partial<Listing> } = {},
): Promise<Session> {
  const asked: string[] = [];
  const watched = new FaultyLayer(store, (call, key) => void asked.push(`${call} ${key}`));
  const open = async () => {
    const parts = { store: watched, git: cache.git, url: "memory", singleWriter: false, draw: undefined };
    const repository = new PacksRepository({ ...parts, dropsNothing: true });
    const listing = await repository.list();
    return { repository, listing: listing && { ...listing, ...o.listing } };
  };
  const written: Uint8Array[] = [];
  const failed: unknown = await serveUploadPack({
    cache,
    open,
    input: new Input(Readable.from(requests, { objectMode: false })),
    write: async (bytes) => void written.push(Uint8Array.from(bytes)),
    fromPromisor: o.fromPromisor ?? false,
  }).catch((error: unknown) => error);
  const said: string[] = [];
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield* written;
  };
  for await (const pkt of readPkts(bytes())) {
    if (pkt.kind !== "line") said.push(pkt.kind);
    else if (pkt.bytes[0] !== 1) said.push(Buffer.from(pkt.bytes).toString().trimEnd());
  }
  return { said, asked, failed };
}

/** Without what the server can do, which it says first. */
const answers = ({ said }: Session): string[] => said.slice(said.indexOf("flush") + 1);

test("each request has an answer, and its end", async (t) => {
  const it = await remote(t);
  const { commit } = it;
  const session = await serve(it, [command("ls-refs"), fetching(commit)]);
  assert.equal(session.failed, undefined);
  assert.equal(session.said[0], "version 2");
  const [refs, objects] = [
    [`${commit} HEAD`, `${commit} refs/heads/main`, "flush", "response-end"],
    ["packfile", "flush", "response-end"],
  ];
  assert.deepEqual(answers(session), [...refs, ...objects]);
  assert.equal(session.asked.filter((key) => key.includes("manifest")).length, 1, "one look is one state");
});

test("refs are told in their order, tags with what they are of, and the head", async (t) => {
  const it = await remote(t);
  const { ada, commit, store } = it;
  const tag = ada.run(["mktag"], `object ${commit}\ntype commit\ntag v\ntagger Ada <a@example.org> 0 +0000\n\nA tag\n`);
  await ada.push(store, { tag });
  const refs = new Map([
    ["refs/tags/v", { oid: tag, peeled: commit }],
    ["refs/heads/trunk", { oid: commit }],
    ["refs/heads/other", { oid: commit }],
  ]);
  const session = await serve(it, [command("ls-refs", "peel", "symrefs")], {
    listing: { refs, head: "refs/heads/trunk" },
  });
  assert.deepEqual(answers(session), [
    `${commit} HEAD symref-target:refs/heads/trunk`,
    `${commit} refs/heads/other`,
    `${commit} refs/heads/trunk`,
    `${tag} refs/tags/v peeled:${commit}`,
    "flush",
    "response-end",
  ]);
});

test("what no ref names may be asked for", async (t) => {
  const it = await remote(t);
  const tree = it.ada.run(["rev-parse", `${it.commit}^{tree}`]);
  assert.deepEqual(answers(await serve(it, [fetching(tree)])), ["packfile", "flush", "response-end"]);
});

test("what comes into the cache is held by nobody, and a session leaves nothing, not even one that failed", async (t) => {
  const it = await remote(t);
  const before = new Set(await readdir(tmpdir()));
  assert.ok((await serve({ ...it, store: denying(it.store) }, [])).failed instanceof StorageError);
  await it.cache.prepare("sha1");
  const killed = join(it.cache.objects, "pack/tmp_pack_killed");
  await writeFile(killed, "");
  await utimes(killed, 0, 0);
  await serve(it, []);
  assert.deepEqual(
    (await readdir(join(it.cache.objects, "pack"))).map((name) => name.replace(/.*\./, "")),
    ["idx", "pack"],
  );
  const left = (await readdir(tmpdir())).filter((name) => name.startsWith("holdall-upload-pack-") && !before.has(name));
  assert.deepEqual(left, []);
});

test("what a clone has left out is found in the cache, which is noted as used; the store is asked for what is not there", async (t) => {
  const it = await remote(t);
  const { ada, cache, commit, store } = it;
  await serve(it, []);
  const folder = dirname(cache.objects);
  await utimes(folder, 0, 0);
  const there = await serve(it, [fetching(commit, commit)], { fromPromisor: true });
  assert.deepEqual(answers(there), ["packfile", "flush", "response-end"]);
  assert.deepEqual(there.asked, []);
  assert.notEqual((await stat(folder)).mtimeMs, 0);
  const next = ada.commit(commit);
  await ada.push(store, { main: next });
  const later = await serve(it, [fetching(commit, next), command("ls-refs")], { fromPromisor: true });
  assert.deepEqual(answers(later).slice(0, 3), ["packfile", "flush", "response-end"]);
  assert.equal(answers(later)[3], `${next} HEAD`);
  assert.notEqual(later.asked.length, 0);
});

test("the refs are the remote's, also for who has begun by asking for objects", async (t) => {
  const it = await remote(t);
  await serve(it, []);
  const session = await serve(it, [command("ls-refs")], { fromPromisor: true });
  assert.deepEqual(answers(session)[0], `${it.commit} HEAD`);
});

test("a session that is not about what was left out looks at the store at once", async (t) => {
  const it = await remote(t);
  await serve(it, []);
  const { asked } = await serve(it, [fetching(it.commit)]);
  assert.deepEqual(asked, ["get holdall/manifest.json"]);
});

test("what goes wrong is said to git, which would otherwise ask again", async (t) => {
  const it = await remote(t);
  await serve(it, []);
  const session = await serve({ ...it, store: denying(it.store) }, [fetching("1".repeat(40))], { fromPromisor: true });
  assert.deepEqual(answers(session), ["ERR no right to it"]);
  assert.ok(session.failed instanceof StorageError);
});

test("an object that nobody has is refused by git itself", async (t) => {
  const it = await remote(t);
  const session = await serve(it, [fetching("1".repeat(40))]);
  assert.match(String(answers(session)[0]), /^ERR upload-pack: not our ref 1{40}$/);
  assert.ok(session.failed instanceof Error);
});

test("a request without end is given up", async (t) => {
  const it = await remote(t);
  const line = pktLine(`have ${"1".repeat(60_000)}\n`);
  let sent = 0;
  const session = await serve(
    it,
    (function* () {
      for (; sent < 2000; sent += 1) yield line;
    })(),
  );
  assert.ok(session.failed instanceof GitStoreError);
  assert.ok(sent > 1000 && sent < 1300, `${sent} lines were read`);
});

test("a cache may be in a folder of any name but one that has several lines, which is said", async (t) => {
  const it = await remote(t, '"odd": #cache');
  const there = await serve(it, [fetching(it.commit)]);
  assert.deepEqual(answers(there), ["packfile", "flush", "response-end"]);
  const { failed } = await serve(await remote(t, "li\nne"), []);
  assert.ok(failed instanceof GitStoreError);
  assert.match(failed.message, /^the repository ".*li\\nne.*" is in a folder with a line end in its name: rename it$/);
});
