import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { collectGarbage, GRACE, GitStore } from "@holdall/git-store";
import { MemoryStore, type ObjectStore } from "@holdall/object-store";
import { startS3 } from "../support/cloud-stores.ts";
import { bytesOf, Line } from "../support/git-remote/line.ts";
import { Person } from "../support/git-remote/person.ts";
import { storeOf } from "../support/git-remote/places.ts";
import { manyCommits, QuickPusher } from "../support/git-remote/quick-pusher.ts";

const PUSHES = 1000;
const DAY = 24 * 3_600_000;
/** So many of them as git has a helper do them; of the others there is only what they leave. */
const WHOLE = 50;

/** The helper closes what it was given when a push has ended. */
class LastingStore extends MemoryStore {
  override async close(): Promise<void> {}
}

async function copyAll(from: ObjectStore, to: ObjectStore): Promise<number> {
  let count = 0;
  for await (const { key, size } of from.list("")) {
    const { body } = await from.get(key);
    await to.put(key, body, { size });
    count += 1;
  }
  return count;
}

/** Bytes of the files of packs in a bare repository. */
async function packBytes(repository: string): Promise<number> {
  const folder = join(repository, "objects", "pack");
  const files = (await readdir(folder)).filter((name) => /\.(?:pack|idx)$/.test(name));
  return (await Promise.all(files.map(async (name) => (await stat(join(folder, name))).size))).reduce((a, b) => a + b);
}

test("after a thousand small pushes a clone is hardly more than one pack, and what was replaced can go", async (t) => {
  const ada = await Person.create(t);
  const commits = await manyCommits(ada, "work", PUSHES);
  const memory = new LastingStore();
  const pusher = new QuickPusher(ada, "work", memory);
  for (const commit of commits.slice(0, -WHOLE)) await pusher.leave(commit);
  for (const commit of commits.slice(-WHOLE)) await pusher.push(commit);

  await using server = await startS3();
  const line = await Line.to(t, server);
  const bucket = await storeOf(line);
  const keys = await copyAll(memory, bucket);
  assert.ok(keys > 2 * PUSHES, `${keys} keys, more than a store lists at once`);
  const git = new GitStore(bucket);
  const { manifest } = (await git.read()) ?? assert.fail();
  assert.ok(manifest.packs.length <= 2 + Math.log2(PUSHES), `${manifest.packs.length} packs`);

  const ben = await Person.create(t, line);
  const asked = await line.during(() => ben.clone("copy", line, "--bare"));
  assert.equal(asked.length, 1 + 2 * manifest.packs.length);
  await ben.git("copy", "fsck", "--strict");
  assert.equal(await ben.git("copy", "rev-parse", "main"), commits.at(-1));
  await ada.git("work", "repack", "-adfq");
  const fresh = await packBytes(ada.path("work"));
  const [packs, all] = [
    bytesOf(
      asked.filter(({ key }) => key.startsWith("objects/")),
      "downloaded",
    ),
    bytesOf(asked, "downloaded"),
  ];
  t.diagnostic(
    `${manifest.packs.length} packs of ${packs} bytes, ${all} with the manifest; one fresh pack has ${fresh}`,
  );
  assert.ok(packs <= 1.3 * fresh, `${packs} bytes of packs, where a fresh one and its index have ${fresh}`);
  assert.ok(all <= 1.3 * fresh, `${all} bytes with the manifest, where a fresh pack and its index have ${fresh}`);

  await bucket.close();

  const kept = { git: new GitStore(memory), store: memory };
  const stored = async (): Promise<number> => (await Array.fromAsync(memory.list("objects/pack/"))).length / 2;
  const replaced = (await stored()) - manifest.packs.length;
  const [soon, later] = [GRACE - DAY, GRACE + 2 * DAY].map((after) => new Date(Date.now() + after));
  assert.equal((await collectGarbage(kept, { now: soon ?? assert.fail() })).length, 0);
  assert.equal((await collectGarbage(kept, { now: later ?? assert.fail() })).length, replaced);
  assert.equal(await stored(), manifest.packs.length);
});
