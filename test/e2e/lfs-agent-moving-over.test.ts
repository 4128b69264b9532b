import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { zstdCompressSync } from "node:zlib";
import type { TestContext } from "node:test";
import { openStore, parseKey, parseStoreUrl } from "@holdall/object-store";
import { seededBytes, sha256 } from "../support/content.ts";
import type { Person } from "../support/git-remote/person.ts";
import { lfsPerson } from "../support/lfs-agent.ts";
import { withEachGitLfs } from "../support/require.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const THEIRS = seededBytes(1, 100_000);
const OURS = seededBytes(2, 100_000);

/** A folder as a store that has one object, and a repository `work` that has that and another one. */
async function story(
  t: TestContext,
  gitLfs: Parameters<typeof lfsPerson>[1],
  [key, bytes]: readonly [string, Uint8Array],
): Promise<{ ada: Person; url: string; has: (key: string) => Promise<boolean> }> {
  const url = `file://${await temporaryFolder(t, "bucket")}/repository`;
  const store = await openStore(parseStoreUrl(url));
  t.after(() => store.close());
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  await store.put(parseKey(key), body(), { size: bytes.length });
  const ada = await lfsPerson(t, gitLfs);
  await ada.init("work", { url: `holdall::${url}` });
  await ada.git("work", "lfs", "track", "*.bin");
  await ada.write("work", "theirs.bin", THEIRS);
  await ada.write("work", "ours.bin", OURS);
  await ada.commit("work", "readme.txt");
  return { ada, url, has: async (name) => (await store.stat(parseKey(name))) !== undefined };
}

async function assertFetched(ada: Person): Promise<void> {
  await rm(ada.path("work/.git/lfs/objects"), { recursive: true });
  for (const name of ["theirs.bin", "ours.bin"]) await rm(ada.path("work", name));
  await ada.git("work", "checkout", "--quiet", "--", ".");
  assert.deepEqual(await readFile(ada.path("work/theirs.bin")), THEIRS);
  assert.deepEqual(await readFile(ada.path("work/ours.bin")), OURS);
}

const AGENT = "lfs.customtransfer.git-lfs-s3.path=git-lfs-s3";
const ALIAS = "https://lfs-alias.git-remote-s3.test/bucket/repository";

for (const [how, settings] of [
  ["every remote", [AGENT, "lfs.standalonetransferagent=git-lfs-s3"]],
  [
    "one remote, and debugging",
    [
      AGENT,
      "lfs.customtransfer.git-lfs-s3.args=debug",
      `remote.origin.lfsurl=${ALIAS}`,
      `lfs.${ALIAS}.standalonetransferagent=git-lfs-s3`,
    ],
  ],
] as const) {
  withEachGitLfs(`a repository that git-remote-s3 has set up for ${how} goes on as it is`, async (t, gitLfs) => {
    const { ada, has } = await story(t, gitLfs, [`lfs/${sha256(THEIRS)}`, THEIRS]);
    for (const setting of settings) await ada.git("work", "config", ...setting.split(/=(.*)/s, 2));
    await ada.git("work", "lfs", "push", "origin", "main");
    assert.ok(await has(`lfs/${sha256(OURS)}`), "where git-remote-s3 finds it");
    const log = await readFile(ada.path("work/.git/lfs/tmp/git-lfs-holdall.log"), "utf8").catch(() => "");
    assert.equal(
      new RegExp(`put lfs/${sha256(OURS)} .*\n.* upload ${sha256(OURS)} .*: done`).test(log),
      how.includes("debugging"),
    );
    await assertFetched(ada);
    // What comes from now on is set up by this agent, and finds the same objects.
    await ada.git("work", "lfs-s3", "install", "--remote", "origin");
    assert.match(await ada.git("work", "config", "remote.origin.lfsurl"), /^holdall::file:/);
    await assertFetched(ada);
  });
}

withEachGitLfs("objects that lfs-s3 has kept are read, and new ones are kept beside them", async (t, gitLfs) => {
  const { ada, url } = await story(t, gitLfs, [`${sha256(THEIRS)}.zstd`, zstdCompressSync(THEIRS)]);
  await ada.git("work", "remote", "set-url", "origin", "https://example.invalid/app.git");
  await ada.git("work", "lfs-holdall", "install", "--remote", "origin", "--url", url);
  await ada.git("work", "lfs", "push", "--object-id", "origin", sha256(OURS));
  await assertFetched(ada);
});
