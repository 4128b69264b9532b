import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { seededBytes, sha256 } from "../support/content.ts";
import type { Person } from "../support/git-remote/person.ts";
import { Places } from "../support/git-remote/places.ts";
import { bareRepository } from "../support/git-user.ts";
import { lfsPerson } from "../support/lfs-agent.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const places = Places.shared();

/** Adds a file that is tracked by LFS. @returns its oid */
async function commitLarge(person: Person, name: string, seed: number): Promise<string> {
  const bytes = seededBytes(seed, 50_000);
  await person.write("work", name, bytes);
  await person.commit("work", `${name}.txt`);
  return sha256(bytes);
}

for (const [how, install] of [
  ["installed for one remote", ["install", "--remote", "bucket"]],
  ["installed for the remotes of the repository", ["install"]],
  ["installed globally", ["install", "--global"]],
] as const) {
  withEachGitLfs(`${how}, it leaves alone the LFS server of another remote`, async (t, gitLfs) => {
    const server = await Server.start(t);
    const bucket = await places.remote(t, "S3");
    assert.ok(bucket !== undefined);
    const ada = await lfsPerson(t, gitLfs, bucket.env);
    await ada.init("work", { url: await bareRepository(t) });
    await ada.git("work", "config", "remote.origin.lfsurl", server.lfsUrl("team/app"));
    await ada.git("work", "remote", "add", "bucket", bucket.url);
    await ada.git("work", "lfs", "track", "*.bin");
    await ada.git("work", "lfs-holdall", ...install);

    const first = await commitLarge(ada, "a.bin", 1);
    await ada.git("work", "push", "--quiet", "origin", "main");
    const asked = { oid: first, size: 50_000 };
    const uploaded = await server.user().ask("team/app", "download", asked);
    assert.ok(uploaded.actions?.download !== undefined, "the server has it");
    await ada.git("work", "push", "--quiet", "bucket", "main");
    const second = await commitLarge(ada, "b.bin", 2);
    await ada.git("work", "push", "--quiet", "bucket", "main");
    assert.ok((await server.user().ask("team/app", "download", { oid: second, size: 50_000 })).error !== undefined);
    await ada.git("work", "push", "--quiet", "origin", "main");

    const status = await ada.git("work", "lfs-holdall", "status");
    assert.match(status, new RegExp(`^origin +${server.url}/team/app +git-lfs itself$`, "m"));
    assert.match(status, /^bucket +\S*s3:\/\/\S+ +git-lfs-holdall$/m);

    // Of each remote alone, in a clone of its own.
    for (const [name, remote] of [
      ["from-bucket", bucket.url],
      ["from-origin", await ada.git("work", "remote", "get-url", "origin")],
    ] as const) {
      const settings = name === "from-origin" ? [`remote.origin.lfsurl=${server.lfsUrl("team/app")}`] : [];
      await ada.git(
        ".",
        ...settings.flatMap((one) => ["-c", one]),
        "-c",
        "filter.lfs.required=false",
        "clone",
        "--quiet",
        "--no-checkout",
        remote,
        name,
      );
      for (const one of settings) await ada.git(name, "config", ...one.split("=", 2));
      if (name === "from-bucket" && how !== "installed globally") await ada.git(name, "lfs-holdall", "install");
      await ada.git(name, "checkout", "--quiet", "main");
      assert.deepEqual(await readFile(ada.path(name, "b.bin")), seededBytes(2, 50_000), name);
    }

    const before = await ada.git("work", "config", "--list", "--show-origin");
    await ada.git("work", "lfs-holdall", "uninstall", ...install.slice(1));
    const after = await ada.git("work", "config", "--list", "--show-origin");
    assert.notEqual(after, before);
    assert.doesNotMatch(after, /holdall::|git-lfs-holdall|standalonetransferagent|sshtransfer/);
    assert.match(after, /remote\.origin\.lfsurl=http/);
  });
}
