import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Person } from "../support/git-remote/person.ts";
import { Places } from "../support/git-remote/places.ts";
import { leavesUntouched } from "../support/git-remote/untouched.ts";
import { begin, checkWhole } from "../support/git-remote/work.ts";
import { listing } from "../support/listing.ts";

const places = Places.shared();

interface Stored {
  readonly ada: Person;
  readonly url: string;
  /** The folder that the repository is in. */
  readonly folder: string;
  /** The two files of the pack that `copy` does not have yet. */
  readonly pack: string;
  readonly index: string;
}

/** A repository with two commits, and `copy`, a clone with the first of them. */
async function stored(t: TestContext): Promise<Stored> {
  const remote = (await places.remote(t, "local disk")) ?? assert.fail();
  const ada = await Person.create(t, remote);
  const folder = fileURLToPath(remote.url.replace("holdall::", ""));
  await begin(ada, remote);
  await ada.clone("copy", remote);
  const before = new Set(await readdir(join(folder, "objects", "pack")));
  await ada.commit("work", "two");
  await ada.git("work", "push", "--quiet");
  const added = (await readdir(join(folder, "objects", "pack"))).filter((name) => !before.has(name));
  const path = (ending: string): string =>
    join(folder, "objects", "pack", added.find((name) => name.endsWith(ending)) ?? assert.fail());
  return { ada, url: remote.url, folder, pack: path(".pack"), index: path(".idx") };
}

async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  await writeFile(path, bytes);
}

async function shorten(path: string): Promise<void> {
  await truncate(path, (await readFile(path)).length - 1);
}

/** Another file of the same kind, whole as it is. */
async function exchange(path: string, folder: string): Promise<void> {
  const ending = path.slice(path.lastIndexOf("."));
  const names = (await readdir(join(folder, "objects", "pack"))).map((name) => join(folder, "objects", "pack", name));
  await cp(names.find((name) => name.endsWith(ending) && name !== path) ?? assert.fail(), path);
}

type Manifest = Record<string, unknown> & {
  readonly refs: Record<string, string>;
  readonly packs: Record<string, unknown>[];
};

/** Writes the manifest anew, as somebody would whose program is wrong. */
function manifest(change: (manifest: Manifest) => unknown): (all: Stored) => Promise<void> {
  return async ({ folder }) => {
    const path = join(folder, "holdall", "manifest.json");
    const read = JSON.parse(await readFile(path, "utf8")) as Manifest;
    const written = change(read);
    await writeFile(path, typeof written === "string" ? written : JSON.stringify(written));
  };
}

/** A manifest with one more ref. */
function ref(name: string, value?: string): (all: Stored) => Promise<void> {
  return manifest((now) => ({ ...now, refs: { ...now.refs, [name]: value ?? now.refs["refs/heads/main"] } }));
}

/** What is wrong, what git's user reads, and whether somebody who pushes hears of it too. */
const DAMAGED: Readonly<Record<string, readonly [(all: Stored) => Promise<void>, RegExp, "pull" | "pull and push"]>> = {
  "a bit of a pack": [({ pack }) => flipBit(pack, 40), /pack-\w{40} in the store is damaged: .*checksum/, "pull"],
  "the checksum of a pack": [
    ({ pack }) => flipBit(pack, -1),
    /pack-\w{40} in the store is damaged: .*checksum/,
    "pull",
  ],
  "the end of a pack": [({ pack }) => shorten(pack), /pack-\w{40} in the store is damaged: .* bytes, not/, "pull"],
  "a whole pack": [({ pack }) => writeFile(pack, ""), /pack-\w{40} in the store is damaged/, "pull"],
  "a pack that is another": [
    ({ pack, folder }) => exchange(pack, folder),
    /pack-\w{40} in the store is damaged/,
    "pull",
  ],
  "a bit of an index": [({ index }) => flipBit(index, 1040), /pack-\w{40} in the store is damaged: .*index/, "pull"],
  "the end of an index": [({ index }) => shorten(index), /pack-\w{40} in the store is damaged/, "pull"],
  "an index that is another": [
    ({ index, folder }) => exchange(index, folder),
    /pack-\w{40} in the store is damaged/,
    "pull",
  ],
  "a manifest of no JSON": [manifest(() => "<html>"), /manifest cannot be read: it is no JSON/, "pull and push"],
  "a manifest of nothing": [manifest(() => ""), /manifest cannot be read: it is no JSON/, "pull and push"],
  "half a manifest": [
    manifest((now) => JSON.stringify(now).slice(0, 300)),
    /cannot be read: it is no JSON/,
    "pull and push",
  ],
  "somebody else's JSON": [manifest(() => ({ name: "x" })), /manifest cannot be read: it is none/, "pull and push"],
  "a later version": [
    manifest((now) => ({ ...now, version: 2 })),
    /has format 2, made by a later version of Holdall; this one knows format 1: update it/,
    "pull and push",
  ],
  "a rule of a later version": [
    manifest((now) => ({ ...now, rules: [{ refs: "refs/heads/main", deny: ["read"] }] })),
    /a rule denies "read", which this version does not know/,
    "pull and push",
  ],
  "a ref with a line end": [
    ref(`refs/heads/x\n${"1".repeat(40)} refs/heads/y`),
    /"refs\/heads\/x\\n1{40} refs\/heads\/y" is no name of a ref/,
    "pull and push",
  ],
  "a ref that leads out": [ref("refs/heads/../../config"), /is no name of a ref/, "pull and push"],
  "a ref that is none": [ref("config"), /"config" is no name of a ref/, "pull and push"],
  "a ref with a value of two lines": [
    ref("refs/heads/x", `${"1".repeat(40)}\n`),
    /the value of refs\/heads\/x is no object/,
    "pull and push",
  ],
  "a head that is no ref": [
    manifest((now) => ({ ...now, head: "refs/heads/x\nref: y" })),
    /its head is no name/,
    "pull and push",
  ],
  "a pack that leads out": [
    manifest((now) => ({ ...now, packs: [...now.packs, { ...now.packs[0], name: "../../../etc/passwd" }] })),
    /"\.\.\/\.\.\/\.\.\/etc\/passwd" is no name of a pack/,
    "pull and push",
  ],
  "a pack of a negative size": [
    manifest((now) => ({ ...now, packs: now.packs.map((pack) => ({ ...pack, size: -1 })) })),
    /is no whole number/,
    "pull and push",
  ],
};

describe("what is in the store is wrong", { concurrency: 3 }, () => {
  for (const [title, [damage, message, who]] of Object.entries(DAMAGED)) {
    test(`${title}: it is said, and nothing changes`, async (t) => {
      const all = await stored(t);
      const { ada, url, folder } = all;
      await damage(all);
      const there = await listing(folder);
      const refused = async (work: string, ...args: readonly string[]): Promise<void> => {
        const { code, stderr } = await ada.tryGit(work, ...args);
        assert.notEqual(code, 0, stderr);
        assert.match(stderr, message);
        assert.doesNotMatch(stderr, /^ +at /m, "no stack");
        assert.ok(stderr.split("\n").filter((line) => line.startsWith("fatal:")).length <= 2, stderr);
      };
      await leavesUntouched(ada, "copy", async () => {
        await refused("copy", "pull");
        await refused(".", "clone", url, "again");
        assert.deepEqual((await readdir(ada.home)).toSorted().includes("again"), false, "no half of a clone");
        await ada.commit("work", "three");
        if (who === "pull and push") await refused("work", "push", "origin", "main");
      });
      assert.deepEqual(await listing(folder), there, "the store is as it was");
    });
  }

  test("a ref to what no pack has: git says so, and the branch stays where it is", async (t) => {
    const all = await stored(t);
    const { ada, url } = all;
    await manifest((now) => ({ ...now, refs: { "refs/heads/main": "1".repeat(40) } }))(all);
    const before = await ada.git("copy", "for-each-ref");
    const pull = await ada.tryGit("copy", "pull");
    assert.notEqual(pull.code, 0);
    assert.match(pull.stderr, /1{40}|did not send all necessary objects/);
    assert.equal(await ada.git("copy", "for-each-ref"), before);
    await ada.git("copy", "fsck", "--strict");
    assert.notEqual((await ada.tryGit(".", "clone", url, "again")).code, 0);
    assert.equal((await readdir(ada.home)).includes("again"), false);
  });

  test("what others have put below the prefix is let alone and harms nobody", async (t) => {
    const all = await stored(t);
    const { ada, url, folder } = all;
    const foreign = {
      "README.txt": "hello",
      "objects/pack/pack-of-somebody.pack": "x",
      [`objects/pack/pack-${"a".repeat(40)}.idx`]: "x",
      "objects/info/alternates": "/etc",
      "holdall/log/zzz.json": "x",
      "holdall/manifest.json.bak": "{}",
      "refs/heads/main": `${"1".repeat(40)}\n`,
      "lfs/abc": "x",
    };
    for (const [name, text] of Object.entries(foreign)) {
      await mkdir(join(folder, dirname(name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    await ada.git("copy", "pull", "--quiet");
    await ada.commit("work", "three");
    await ada.git("work", "push", "--quiet");
    await checkWhole(ada, { url });
    const there = await listing(folder);
    for (const name of Object.keys(foreign)) assert.ok(name in there, name);
  });
});
