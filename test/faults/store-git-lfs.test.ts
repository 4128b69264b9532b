import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import type { Checkout } from "../support/checkout.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Gate } from "../support/proxy.ts";
import { withGitLfs } from "../support/require.ts";
import { said } from "../support/run.ts";
import { S3Scene } from "./support/s3-scene.ts";

const MIB = 1024 ** 2;

/** Two files, one of which goes in parts, committed and not pushed. */
async function committed(
  t: TestContext,
  gitLfs: FoundService,
  scene: S3Scene,
): Promise<{ readonly ada: GitUser; readonly remote: string; readonly work: Checkout }> {
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, scene.server.lfsUrl("team/app"));
  await work.writeSeeded("small.bin", 1, 200_000);
  await work.writeSeeded("large.bin", 2, 20 * MIB);
  await work.commitAll("First");
  return { ada, remote, work };
}

withGitLfs(
  "git-lfs-newest",
  "S3: a push says that the store is busy, and repeated it gets through whatever goes wrong for a moment",
  async (t, gitLfs) => {
    const scene = await S3Scene.start(t);
    const { s3 } = scene;
    const { ada, remote, work } = await committed(t, gitLfs, scene);
    const busy = { answer: { status: 503, code: "SlowDown" } } as const;

    const over = s3.fault({ method: "PUT", times: Infinity }, busy);
    const failed = await work.tryGit("-c", "lfs.transfer.maxretries=1", "push", "origin", "main");
    assert.notEqual(failed.code, 0);
    assert.match(said(failed), /the store is busy: try again/);
    over();

    s3.fault({ operation: "PutObject", times: 2 }, busy);
    s3.fault({ operation: "UploadPart", times: 4 }, { cutAfter: MIB });
    s3.fault({ operation: "CompleteMultipartUpload" }, { lose: true });
    await work.push();
    assert.deepEqual(scene.unfinished, []);

    s3.fault({ operation: "GetObject", times: 3 }, { truncateAfter: 150_000 });
    const { GetObject = [] } = await scene.askedDuring(async () => {
      assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
    });
    assert.ok(GetObject.includes(206), "downloads go on where they broke");
  },
);

for (const [transfer, operation] of [
  ["proxy", "PutObject"],
  ["direct", "HeadObject"],
] as const) {
  withGitLfs(
    "git-lfs-newest",
    `S3, ${transfer}: after a server was killed when the store had everything, the next push ends what the first began`,
    async (t, gitLfs) => {
      const scene = await S3Scene.start(t, { config: { transfer } });
      const { s3, server } = scene;
      const { ada, remote, work } = await committed(t, gitLfs, scene);
      const gate = new Gate();
      s3.fault({ operation, key: /^objects\// }, { holdAnswer: () => gate.pass() });

      const pushing = work.tryPush();
      await gate.reached;
      await server.kill();
      assert.notEqual((await pushing).code, 0);
      await server.restart();
      await work.push();

      assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
      assert.equal((await scene.contents()).oids.length, 2);
    },
  );
}
