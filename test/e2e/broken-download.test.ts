import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import type { Checkout } from "../support/checkout.ts";
import type { Exchange } from "../support/forward.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Proxy } from "../support/proxy.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const SIZE = 8 * 1024 * 1024;

interface Pushed {
  readonly ada: GitUser;
  readonly remote: string;
  readonly work: Checkout;
  readonly oid: string;
  readonly line: Proxy;
}

/**
 * A repository with one large file, whose server is behind a line that breaks.
 * @param cuts after how many bytes each download breaks, one after the other; the ones after these come whole
 */
async function behindBadLine(t: TestContext, gitLfs: FoundService, cuts: number[]): Promise<Pushed> {
  const server = await Server.start(t);
  async function* cut(exchange: Exchange, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let left = exchange.method === "GET" ? cuts.shift() : undefined;
    if (left === undefined) return yield* body;
    for await (const chunk of body) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) throw new Error("The line is cut");
    }
  }
  const line = await Proxy.start(t, server.url, { download: cut });
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  await work.writeSeeded("a.bin", 1, SIZE);
  await work.commitAll("First");
  await work.push();
  return { ada, remote, work, line, oid: (await work.oids()).get("a.bin") ?? "" };
}

/** Checks that a download went on after what the client had, so many bytes at most, and got the rest and no more. */
function assertResumed(resumed: Exchange | undefined, had: number): void {
  const start = Number(/^bytes=(\d+)-/.exec(resumed?.range ?? "")?.[1]);
  assert(start > 0 && start <= had, `the client had ${had} bytes and asked for ${resumed?.range}`);
  assert.equal(resumed?.status, 206);
  assert.equal(resumed?.downloaded, SIZE - start, "what had arrived is not sent again");
}

withEachGitLfs("a download that breaks half-way goes on from there", async (t, gitLfs) => {
  const { ada, remote, work, oid, line } = await behindBadLine(t, gitLfs, [SIZE / 2]);

  const copy = await ada.clone(remote);

  assert.deepEqual(await copy.files(), await work.files());
  const [broken, resumed, ...more] = line.transfers("GET", oid);
  assert.equal(broken?.downloaded, SIZE / 2);
  assertResumed(resumed, SIZE / 2);
  assert.deepEqual(more, []);
});

withEachGitLfs("a pull that failed is run again, and goes on where it was", async (t, gitLfs) => {
  // The first try, and the one that the client makes by itself.
  const cuts = [SIZE / 4, SIZE / 4];
  const { ada, remote, work, oid, line } = await behindBadLine(t, gitLfs, cuts);
  // As after `git lfs install --skip-smudge`: nothing is downloaded before the pull.
  const skip = ["filter.lfs.smudge=git-lfs smudge --skip -- %f", "filter.lfs.process=git-lfs filter-process --skip"];
  const copy = await ada.clone(remote, [...skip, "lfs.transfer.maxretries=1"]);

  const failed = await copy.tryGit("lfs", "pull");
  assert.notEqual(failed.code, 0, "the command has given up");
  const before = line.transfers("GET", oid);
  assert.equal(before.length, 2);
  await copy.git("lfs", "pull");

  assert.deepEqual(await copy.files(), await work.files());
  const [resumed, ...more] = line.transfers("GET", oid).slice(before.length);
  assertResumed(resumed, SIZE / 2);
  assert.deepEqual(more, []);
});
