import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { seededBytes, sha256 } from "../support/content.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withEachGitLfs, withGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

// Around the edges of what is encrypted at a time, and one that would go in parts without encryption.
const SIZES = [1, 1000, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 5 * MIB + 17, 20 * MIB];

/** Keys with these ids; objects are put under the first. What is after a colon makes another key of the same id. */
function encryption(...names: readonly string[]): Readonly<Record<string, unknown>> {
  const keys = names.map((name) => ({
    id: name.split(":")[0],
    key: createHash("sha256").update(`the key ${name} of a test`).digest("base64"),
  }));
  return { encryption: { current: keys[0]?.id, keys } };
}

/** What the files of a store hold, by their names; without what is the store's own. */
async function filesOf(store: string): Promise<ReadonlyMap<string, Buffer>> {
  const entries = await readdir(store, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes(".holdall"));
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }) => [name, await readFile(join(parentPath, name))] as const),
    ),
  );
}

async function keyIdsIn(store: string): Promise<ReadonlySet<string | undefined>> {
  const files = await filesOf(store);
  return new Set(
    [...files.values()].map((bytes) => /^holdall-aead-v1\n(\w+)\0/.exec(bytes.toString("latin1", 0, 48))?.[1]),
  );
}

function objectPath(data: string, oid: string): string {
  return join(data, "store/objects", oid.slice(0, 2), oid.slice(2, 4), oid);
}

withEachGitLfs(
  "with encryption, what one user pushes another clones, and the store holds none of it",
  async (t, gitLfs) => {
    const server = await Server.start(t, { config: encryption("a") });
    const remote = await bareRepository(t);
    const ada = await GitUser.create(t, "ada", gitLfs);
    await ada.git(["config", "--global", "lfs.tustransfers", "true"]);
    const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
    for (const [seed, size] of SIZES.entries()) await work.writeSeeded(`${size}.bin`, seed, size);
    await work.commitAll("Files of all kinds");
    await work.push();

    const copy = await (await GitUser.create(t, "ben", gitLfs)).clone(remote);
    assert.deepEqual(await copy.files(), await work.files());

    const stored = await filesOf(join(server.data, "store"));
    assert.deepEqual(
      [...stored.keys()].sort(),
      [...new Set((await work.oids()).values()), "holdall-store"].sort(),
      "each object is there, under its name",
    );
    for (const [seed, size] of SIZES.entries()) {
      const bytes = seededBytes(seed, size);
      for (let at = 0; at + 16 <= size; at += 32 * KIB) {
        for (const [name, held] of stored) assert.ok(!held.includes(bytes.subarray(at, at + 16)), `${size} in ${name}`);
      }
    }
  },
);

test("with encryption, any range of an object is right", async (t) => {
  const server = await Server.start(t, { config: encryption("a") });
  const user = server.user();
  const bytes = seededBytes(1, 300_000);
  const object = { oid: await user.upload("team/app", bytes), size: bytes.length };
  for (const [start, end] of [
    [0, 0],
    [0, 299_999],
    [65_535, 65_536],
    [131_072, 131_072],
    [100_000, 250_000],
    [299_999, 299_999],
  ] as const) {
    const { status, headers, body } = await user.download("team/app", object, { Range: `bytes=${start}-${end}` });
    assert.equal(status, 206);
    assert.equal(headers["content-range"], `bytes ${start}-${end}/300000`);
    assert.ok(body.equals(bytes.subarray(start, end + 1)), `${start}-${end}`);
  }
  assert.equal((await user.download("team/app", object, { Range: "bytes=300000-" })).status, 416);
});

withGitLfs(
  "git-lfs-newest",
  "the key is changed while servers serve, and none but the new one is needed then",
  async (t, gitLfs) => {
    const data = await temporaryFolder(t, "data");
    const store = join(data, "store");
    const remote = await bareRepository(t);
    const ada = await GitUser.create(t, "ada", gitLfs);

    const before = await Server.start(t, { data, config: encryption("old") });
    const work = await ada.initWithLfs(remote, before.lfsUrl("team/app"));
    for (const [seed, size] of SIZES.entries()) await work.writeSeeded(`${size}.bin`, seed, size);
    await work.commitAll("First");
    await work.push();
    await before.stop();

    const during = await Server.start(t, { data, config: encryption("new", "old") });
    const clone = async (server: Server): Promise<void> => {
      const ben = await GitUser.create(t, "ben", gitLfs);
      const copy = await ben.clone(remote, [`lfs.url=${server.lfsUrl("team/app")}`]);
      assert.deepEqual(await copy.files(), await work.files());
    };
    await clone(during);
    const rotated = new AbortController();
    const readers = [1, 2].map(async () => {
      do await clone(during);
      while (!rotated.signal.aborted);
    });
    const { stdout } = await during.holdall(["store", "reencrypt", "--json"]);
    rotated.abort();
    await Promise.all(readers);
    assert.deepEqual(JSON.parse(stdout), { key: "new", rewritten: SIZES.length + 1, current: 0, failed: 0 });
    assert.deepEqual(await keyIdsIn(store), new Set(["new"]));
    await work.git("config", "lfs.url", during.lfsUrl("team/app"));
    await work.writeSeeded("later.bin", 99, 100_000);
    await work.commitAll("Later");
    await work.push();
    await during.stop();

    await clone(await Server.start(t, { data, config: encryption("new") }));
  },
);

test("a server with a wrong key, without the key that objects are under, or without any, does not start", async (t) => {
  const data = await temporaryFolder(t, "data");
  const first = await Server.start(t, { data, config: encryption("a") });
  const bytes = seededBytes(1, 1000);
  await first.user().upload("team/app", bytes);
  await first.stop();
  for (const [config, message] of [
    [
      encryption("a:another"),
      /cannot read from the store file:\S+: holdall-store cannot be decrypted: .* correct the key/,
    ],
    [encryption("b"), /cannot read from the store file:\S+: holdall-store is encrypted with the key a, .* add it to/],
    [{}, /the objects in file:\S+ are encrypted: name their keys in encryption\.keys/],
  ] as const) {
    await assert.rejects(Server.start(t, { data, config }), { message });
  }
  const again = await Server.start(t, { data, config: encryption("a") });
  const { body } = await again.user().download("team/app", { oid: sha256(bytes), size: bytes.length });
  assert.ok(body.equals(bytes));
});

test("an object that was changed in the store is not handed out, and one that was cut is asked for again", async (t) => {
  const server = await Server.start(t, { config: encryption("a") });
  const user = server.user();
  const [changed, cut] = [seededBytes(1, 100_000), seededBytes(2, 100_000)];
  for (const bytes of [changed, cut]) await user.upload("team/app", bytes);

  const file = await open(objectPath(server.data, sha256(changed)), "r+");
  await file.write(Buffer.from("X"), 0, 1, 500);
  await file.close();
  const answer = await user.download("team/app", { oid: sha256(changed), size: changed.length });
  assert.equal(answer.status, 500);
  const [line] = await server.untilLogged(({ text }) => text.includes("cannot be decrypted"));
  assert.ok(line?.text.includes(sha256(changed)));

  const object = { oid: sha256(cut), size: cut.length };
  await truncate(objectPath(server.data, object.oid), 100_000);
  assert.equal((await user.download("team/app", object)).status, 500);
  assert.ok((await user.ask("team/app", "upload", object)).actions?.upload !== undefined, "it is asked for");
  await user.upload("team/app", cut);
  assert.ok((await user.download("team/app", object)).body.equals(cut));
});
