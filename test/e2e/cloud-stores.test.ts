import assert from "node:assert/strict";
import { CLOUDS } from "../support/cloud-stores.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { withGitLfs } from "../support/require.ts";
import { type LogLine, Server } from "../support/server.ts";

const MIB = 1024 * 1024;

// Around the sizes at which a store takes an object in one request or in parts.
const SIZES = [1, 1000, 100_003, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 40 * MIB];

for (const [cloud, start] of Object.entries(CLOUDS)) {
  for (const transfer of ["proxy", "direct"] as const) {
    withGitLfs("git-lfs-newest", `${cloud}, ${transfer}: what one user pushes, another clones`, async (t, gitLfs) => {
      const store = await start(t);
      if (store === undefined) return;
      const server = await Server.start(t, { config: { store: store.url, transfer }, env: store.env });
      const remote = await bareRepository(t);
      const ada = await GitUser.create(t, "ada", gitLfs);
      const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
      for (const [seed, size] of SIZES.entries()) await work.writeSeeded(`${size}.bin`, seed, size);
      await work.commitAll("Files of all kinds");
      await work.push();

      const ben = await GitUser.create(t, "ben", gitLfs);
      assert.deepEqual(await (await ben.clone(remote)).files(), await work.files());

      // Which way the bytes went: the server is asked for them only when they go through it.
      const oids = [...(await work.oids()).values()];
      const carries = ({ method, path }: LogLine): boolean =>
        (method === "PUT" || method === "GET") && oids.some((oid) => path?.endsWith(`/objects/${oid}`));
      const asked = server.logged(carries);
      assert.equal(asked.length, transfer === "proxy" ? 2 * SIZES.length : 0);

      // The same bytes in another repository have to be sent again, and are stored once.
      const other = await ada.initWithLfs(await bareRepository(t), server.lfsUrl("team/other"));
      await other.writeSeeded("same.bin", 1, 1000);
      await other.commitAll("The same");
      await other.push();
    });
  }
}
