import assert from "node:assert/strict";
import { join } from "node:path";
import type { Exchange } from "../support/forward.ts";
import { bareRepository, GitUser } from "../support/git-user.ts";
import { Gate, Proxy } from "../support/proxy.ts";
import { withEachGitLfs } from "../support/require.ts";
import { Server } from "../support/server.ts";
import { soundObjects } from "../support/store-folder.ts";

const MIB = 1024 * 1024;
// More than the kernel buffers for a connection: once half of it is gone, the server is surely reading.
const LARGE = 64 * MIB;

withEachGitLfs("SIGTERM lets a running upload finish, exits with 0, and nothing is sent twice", async (t, gitLfs) => {
  const server = await Server.start(t);
  const gate = new Gate();
  async function* waitHalfWay(exchange: Exchange, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      if (exchange.method === "PUT" && exchange.uploaded > LARGE / 2) await gate.pass();
      yield chunk;
    }
  }
  const line = await Proxy.start(t, server.url, { upload: waitHalfWay });
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  await work.writeSeeded("a.bin", 1, LARGE);
  await work.commitAll("First");
  const oid = (await work.oids()).get("a.bin") ?? "";
  const pushing = work.tryPush();
  await gate.reached;
  const stopping = server.stop();
  gate.open();
  await stopping;
  // What came after the upload found no server; whether the push as a whole got through is the client's affair.
  await pushing;
  assert.deepEqual(
    line
      .transfers("PUT", oid)
      .map(({ status }) => Math.trunc(status / 100))
      .slice(0, 1),
    [2],
  );

  await server.restart();
  const before = line.transfers("PUT", oid).length;
  await work.push();

  assert.equal(line.transfers("PUT", oid).length, before, "the upload was acknowledged, so it is not repeated");
  assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
});

withEachGitLfs("a push outlives a server that is killed and started again in the middle", async (t, gitLfs) => {
  const server = await Server.start(t);
  let puts = 0;
  const killOnce = async (exchange: Exchange): Promise<void> => {
    if (exchange.method !== "PUT") return;
    puts += 1;
    if (puts !== 20) return;
    await server.kill();
    await server.restart();
  };
  const line = await Proxy.start(t, server.url, { before: killOnce });
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, `${line.url}/team/app`);
  for (let seed = 0; seed < 60; seed += 1) await work.writeSeeded(`${seed}.bin`, seed, MIB / 2 + seed);
  await work.commitAll("Many");

  await work.push();

  assert(puts > 20);
  assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
  assert((await soundObjects(join(server.data, "store"))).length > 0);
});

withEachGitLfs("what was pushed and locked is still there after a restart", async (t, gitLfs) => {
  const server = await Server.start(t);
  const remote = await bareRepository(t);
  const ada = await GitUser.create(t, "ada", gitLfs);
  const work = await ada.initWithLfs(remote, server.lfsUrl("team/app"));
  await work.writeSeeded("a.bin", 1, 5000);
  await work.commitAll("First");
  await work.push();
  await work.git("lfs", "lock", "a.bin");

  await server.stop();
  await server.restart();

  assert.deepEqual(await (await ada.clone(remote)).files(), await work.files());
  assert.match((await work.git("lfs", "locks")).stdout, /a\.bin/);
});
