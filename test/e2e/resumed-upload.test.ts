import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import type { Checkout } from "../support/checkout.ts";
import { type CloudStore, PLACES } from "../support/cloud-stores.ts";
import type { Exchange } from "../support/forward.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Gate, Proxy } from "../support/proxy.ts";
import { withEachGitLfs, withGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const MIB = 1024 ** 2;
const SIZE = 40 * MIB + 1000;
const PART = 8 * MIB;
const AT_90_PERCENT = Math.floor(0.9 * SIZE);

interface Cut {
  /** Bytes that pass before. */
  readonly at: number;
  /** What happens before the connection breaks. */
  readonly before?: () => Promise<void>;
}

interface Story {
  readonly ada: GitUser;
  readonly remote: string;
  readonly work: Checkout;
  readonly server: Server;
  /** The requests so far that carried bytes of the large file. */
  readonly patches: () => Exchange[];
}

/**
 * A large file and others, committed and not pushed, whose server is behind a line that breaks.
 * @param o.cuts what happens to each upload of the large file, one after the other; those after these come through whole
 */
async function behindBadLine(
  t: TestContext,
  gitLfs: FoundService,
  { cuts, store }: { readonly cuts: Cut[]; readonly store?: Partial<CloudStore> },
): Promise<Story> {
  let oid: string | undefined;
  const isLarge = ({ method, path }: Exchange): boolean =>
    method === "PATCH" && oid !== undefined && path.includes(oid);
  async function* cut(exchange: Exchange, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const next = isLarge(exchange) ? cuts.shift() : undefined;
    if (next === undefined) return yield* body;
    let left = next.at;
    for await (const chunk of body) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left > 0) continue;
      await next.before?.();
      throw new Error("The line is cut");
    }
  }
  const server = await Server.start(t, {
    config: store?.url === undefined ? {} : { store: store.url },
    ...(store?.env === undefined ? {} : { env: store.env }),
  });
  const line = await Proxy.start(t, server.url, { upload: cut });
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  await work.git("config", "lfs.tustransfers", "true");
  await work.writeSeeded("large.bin", 1, SIZE);
  await work.writeSeeded("small.bin", 2, 1000);
  await work.writeSeeded("empty.bin", 3, 0);
  await work.commitAll("First");
  oid = (await work.oids()).get("large.bin") ?? assert.fail();
  return { ada, remote, work, server, patches: () => line.exchanges.filter(isLarge) };
}

/** What a connection holds when it breaks is lost, and nothing else. */
function assertFewTwice(patches: readonly Exchange[]): void {
  const twice = patches.reduce((sum, { uploaded }) => sum + uploaded, -SIZE);
  assert.ok(twice >= 0 && twice < MIB, `${twice} bytes were sent twice`);
}

for (const [place, start] of Object.entries(PLACES)) {
  withGitLfs("git-lfs-newest", `${place}: an upload that breaks at 90 % goes on from there`, async (t, gitLfs) => {
    const store = await start(t);
    if (store === undefined) return;
    const { ada, remote, work, patches } = await behindBadLine(t, gitLfs, { cuts: [{ at: AT_90_PERCENT }], store });

    await work.push();

    const [broken, resumed, ...more] = patches();
    assert.equal(broken?.uploaded, AT_90_PERCENT);
    assert.equal(resumed?.status, 204);
    assert.deepEqual(more, []);
    assertFewTwice([broken, resumed]);
    assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
  });
}

withEachGitLfs("a push that failed is run again, and goes on where it was", async (t, gitLfs) => {
  const cuts = [{ at: 10 * MIB }, { at: 3 * MIB }, { at: 0 }, { at: PART }];
  const { ada, remote, work, patches } = await behindBadLine(t, gitLfs, { cuts });
  await work.git("config", "lfs.transfer.maxretries", "1");

  const failed = await work.tryGit("push", "origin", "main");
  assert.notEqual(failed.code, 0, "the command has given up");
  assert.equal(patches().length, 2);
  await work.tryGit("push", "origin", "main");
  await work.push();

  assert.equal(patches().length, 5);
  assertFewTwice(patches());
  assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
});

withEachGitLfs(
  "a server that is killed in the middle of an upload goes on with the parts that it had",
  async (t, gitLfs) => {
    const line = new Gate();
    const cuts = [{ at: AT_90_PERCENT, before: () => line.pass() }];
    const { ada, remote, work, server, patches } = await behindBadLine(t, gitLfs, { cuts });

    const pushing = work.push();
    await line.reached;
    await server.kill();
    await server.restart();
    line.open();
    await pushing;

    const [, resumed, ...more] = patches();
    assert.equal(resumed?.status, 204);
    assert.deepEqual(more, []);
    // A connection holds some megabytes, four parts may be on their way to the disk, and one is not whole.
    assert.ok(resumed.uploaded < SIZE, `${resumed.uploaded} bytes were sent again`);
    assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
  },
);
