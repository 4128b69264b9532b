import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { Places } from "../support/git-remote/places.ts";
import { CHECKOUT } from "../support/holdall.ts";
import { keysBelow, twoPeople } from "../support/git-remote-s3.ts";

const places = Places.shared();
const KILLED = join(CHECKOUT, "packages", "git-remote", "test", "bundles-helper.ts");

test("whoever of ours is killed at any step of a push loses nothing, and the next push leaves what git-remote-s3 0.4.2 goes on with", async (t) => {
  const both = await twoPeople(t, places, "0.4.2");
  if (both === undefined) return;
  const { ours, remote, store } = both;
  const theirs = both.theirs.with({ GIT_REMOTE_S3_LOCK_TTL_SECONDS: "1" });
  await mkdir(ours.path("bin"));
  const program = ours.path("bin", "git-remote-bundles");
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${KILLED}' "$@"\n`);
  await chmod(program, 0o755);
  const mortal = ours.with({ PATH: [ours.path("bin"), ours.env["PATH"]].join(delimiter) });
  await theirs.init("work", remote);
  await theirs.commit("work", "start");
  await theirs.git("work", "push", "--quiet", "origin", "main");
  let twice = 0;
  for (let step = 1; ; step += 1) {
    const before = await ours.git("work", "rev-parse", "main");
    const after = await ours.commit("work", `step${step}`);
    const settings = `lockTtl=1,killAfter=${step}`;
    const { code } = await mortal.tryGit("work", "push", `bundles::${settings}@${remote.url}`, "main");
    const bundles = (await keysBelow(store, "refs/")).filter((key) => key.endsWith(".bundle"));
    assert.ok(bundles.every((key) => key.includes(before) || key.includes(after)));
    for (const [who, copy] of [
      [ours, `ours${step}`],
      [theirs, `theirs${step}`],
    ] as const) {
      // Between two requests there are both values, as it leaves them itself: only ours can tell which is the newer.
      if (who === theirs && bundles.length > 1) continue;
      await who.clone(copy, remote);
      const seen = await who.git(copy, "rev-parse", "HEAD");
      assert.ok([before, after].includes(seen), `step ${step}`);
      await who.git(copy, "fsck", "--strict");
    }
    twice += bundles.length - 1;
    const mended = await mortal.tryGit("work", "push", `bundles::lockTtl=1@${remote.url}`, "main:refs/heads/main");
    assert.equal(mended.code, 0, mended.stderr);
    await ours.commit("work", `step${step}-more`);
    await mortal.git("work", "push", "--quiet", `bundles::lockTtl=1@${remote.url}`, "main");
    await theirs.commit("work", `step${step}-theirs`);
    await theirs.git("work", "push", "--quiet", "origin", "main");
    const value = await theirs.git("work", "rev-parse", "main");
    assert.deepEqual(await keysBelow(store, "refs/"), [`refs/heads/main/${value}.bundle`], `step ${step}`);
    if (code === 0) {
      assert.ok(step > 5);
      assert.equal(twice, 1);
      break;
    }
  }
});
