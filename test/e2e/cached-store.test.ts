import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CLOUDS } from "../support/cloud-stores.ts";
import { seededBytes } from "../support/content.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Proxy } from "../support/proxy.ts";
import { withGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const MIB = 1024 * 1024;
const SIZES = [1, 1000, 100_003, 9 * MIB];

for (const [how, config] of [
  ["in one process", {}],
  ["in two processes", { workers: 2 }],
  ["encrypted", { encryption: { current: "k1", keys: [{ id: "k1", key: "5".repeat(64) }] } }],
] as const) {
  withGitLfs("git-lfs-newest", `what one clone has fetched, others get from the cache, ${how}`, async (t, gitLfs) => {
    const store = await CLOUDS.S3(t);
    if (store === undefined) return;
    let gone = false;
    const proxy = await Proxy.start(t, store.env.AWS_ENDPOINT_URL ?? "", {
      async *upload(_, body) {
        if (gone) throw new Error("the bucket cannot be reached");
        yield* body;
      },
    });
    const server = await Server.start(t, {
      config: { store: store.url, cache: { size: "64MiB" }, ...config },
      env: { ...store.env, AWS_ENDPOINT_URL: proxy.url },
    });
    const remote = await bareRepository(t);
    const ada = await GitUser.create(t, "ada", gitLfs);
    const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
    for (const [seed, size] of SIZES.entries()) await work.writeSeeded(`${size}.bin`, seed, size);
    await work.commitAll("Files of all kinds");
    await work.push();
    const files = await work.files();
    const oids = [...(await work.oids()).values()];
    const asked = (): number[] => oids.map((oid) => proxy.transfers("GET", oid).length);
    const cloneAs = async (name: string): Promise<void> => {
      const user = await GitUser.create(t, name, gitLfs);
      assert.deepEqual(await (await user.clone(remote)).files(), files);
    };

    // A push keeps nothing: the first clone does.
    assert.deepEqual(
      asked(),
      SIZES.map(() => 0),
    );
    await cloneAs("ben");
    assert.deepEqual(
      asked(),
      SIZES.map(() => 1),
    );
    await cloneAs("cleo");

    gone = true;
    await cloneAs("dora");
    gone = false;

    // It keeps what the bucket keeps.
    const kept = await entriesIn(join(server.data, "cache"));
    assert.equal(kept.length, SIZES.length);
    assert.equal(
      kept.some((entry) => entry.includes(seededBytes(1, 1000))),
      !("encryption" in config),
    );

    // The counts of each process are told when it stops.
    await server.stop();
    const told = server
      .logged("the cache so far")
      .map(({ text }) => JSON.parse(text) as { hits: number; misses: number });
    assert.equal(
      told.reduce((sum, { misses }) => sum + misses, 0),
      SIZES.length,
    );
    assert.equal(
      told.reduce((sum, { hits }) => sum + hits, 0),
      2 * SIZES.length,
    );

    await server.restart();
    await cloneAs("emil");
    assert.deepEqual(
      asked(),
      SIZES.map(() => 1),
    );
    assert.deepEqual(
      server.logged(({ text }) => text.includes("the cache's disk fails")),
      [],
    );
  });
}

async function entriesIn(cache: string): Promise<Buffer[]> {
  const files = await readdir(cache, { recursive: true, withFileTypes: true });
  const entries = files.filter((file) => file.isFile() && file.parentPath.endsWith("/entries"));
  return await Promise.all(entries.map(({ parentPath, name }) => readFile(join(parentPath, name))));
}
