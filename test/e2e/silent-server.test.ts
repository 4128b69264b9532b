import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import type { Checkout } from "../support/checkout.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Gate, Proxy } from "../support/proxy.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

// A client gives up a connection on which nothing has moved for lfs.activitytimeout, 30 seconds by default: so it goes
// where a disk takes that long. What becomes of the command then is told here, with a shorter patience.
const PATIENCE_SECONDS = 3;

const SIZE = 1024 * 1024;

interface Pushing {
  readonly work: Checkout;
  readonly remote: string;
  readonly ada: GitUser;
  readonly line: Proxy;
}

/**
 * A repository with one file to push, whose server falls silent.
 * @param method of the first transfer of this kind, the answer stops after `bytes` bytes, and the line is cut as soon as the
 * client asks for something else
 */
async function beforeSilence(
  t: TestContext,
  gitLfs: FoundService,
  { method, bytes }: { method: "GET" | "PUT"; bytes: number },
): Promise<Pushing> {
  const server = await Server.start(t);
  const asksAgain = new Gate();
  let silent = false;
  const line = await Proxy.start(t, server.url, {
    async before() {
      if (silent) asksAgain.open();
    },
    async *download(exchange, body) {
      if (exchange.method !== method || silent) return yield* body;
      silent = true;
      let left = bytes;
      for await (const chunk of body) {
        yield chunk.subarray(0, left);
        left -= chunk.length;
        if (left <= 0) break;
      }
      await asksAgain.pass();
      throw new Error("The client has gone");
    },
  });
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  await ada.git(["config", "--global", "lfs.activitytimeout", `${PATIENCE_SECONDS}`]);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  await work.writeSeeded("a.bin", 1, SIZE);
  await work.commitAll("First");
  return { work, remote, ada, line };
}

withEachGitLfs("an upload whose answer does not come is given up, and the push succeeds", async (t, gitLfs) => {
  const { work, remote, ada, line } = await beforeSilence(t, gitLfs, { method: "PUT", bytes: 0 });

  await work.push();

  const batches = line.exchanges.filter(({ path }) => path.endsWith("/objects/batch"));
  assert(batches.length > 1, "the client has asked again what to send");
  assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
});

withEachGitLfs("a download in which nothing moves is given up, and goes on from there", async (t, gitLfs) => {
  const { work, remote, ada, line } = await beforeSilence(t, gitLfs, { method: "GET", bytes: SIZE / 2 });
  await work.push();

  const copy = await ada.clone(remote);

  assert.deepEqual(await copy.files(), await work.files());
  const resumed = line.transfers("GET", (await work.oids()).get("a.bin") ?? "").at(-1);
  assert.equal(resumed?.status, 206);
  assert.match(resumed?.range ?? "", /^bytes=[1-9]\d*-/);
});
