import assert from "node:assert/strict";
import { bareRepository, GitUser } from "../support/git-user.ts";
import type { Exchange } from "../support/forward.ts";
import { Proxy } from "../support/proxy.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";

const SIZE = 8 * 1024 * 1024;
const CUT_AT = SIZE / 2;

withEachGitLfs("a download that breaks half-way goes on from there", async (t, gitLfs) => {
  const server = await Server.start(t);
  let cuts = 0;
  async function* cutOnce(exchange: Exchange, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    if (exchange.method !== "GET" || cuts > 0) return yield* body;
    cuts += 1;
    let left = CUT_AT;
    for await (const chunk of body) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) throw new Error("The line is cut");
    }
  }
  const line = await Proxy.start(t, server.url, { download: cutOnce });
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  await work.writeSeeded("a.bin", 1, SIZE);
  await work.commitAll("First");
  await work.push();

  const copy = await ada.clone(remote);

  assert.deepEqual(await copy.files(), await work.files());
  const oid = (await work.oids()).get("a.bin") ?? "";
  const [broken, resumed, ...more] = line.transfers("GET", oid);
  assert(broken !== undefined && resumed !== undefined);
  assert.deepEqual(more, []);
  assert.equal(broken.downloaded, CUT_AT);
  const start = Number(/^bytes=(\d+)-/.exec(resumed.range ?? "")?.[1]);
  assert(start > 0 && start <= CUT_AT, `the client asked for ${resumed.range}`);
  assert.equal(resumed.status, 206);
  assert.equal(resumed.downloaded, SIZE - start, "what had arrived is not sent again");
});
