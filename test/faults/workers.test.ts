import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { LockResponse } from "@holdall/lfs-protocol";
import { Type } from "typebox";
import { answerTo, type Answer } from "../wire/support/http.ts";
import { message } from "../wire/support/messages.ts";
import { Serving } from "./support/serving.ts";
import { story } from "./support/story.ts";

const REPOSITORY = "team/app";
const CONTENDERS = 16;
const PATHS = 10;

/** The worker that answers is another for each new connection. */
async function onNewConnection(
  server: Serving,
  o: { method: string; path: string; body?: object; credentials?: string },
): Promise<Answer> {
  const agent = new Agent({ keepAlive: false });
  const outgoing = request({
    agent,
    host: "127.0.0.1",
    port: server.port,
    method: o.method,
    path: o.path,
    ...(o.credentials === undefined ? {} : { auth: o.credentials }),
    headers: { Accept: "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json" },
  });
  outgoing.end(o.body === undefined ? undefined : JSON.stringify(o.body));
  return await answerTo(outgoing);
}

/** The workers that have answered a request for this path. */
function answerers(server: Serving, path: string): Set<number> {
  return new Set(
    server
      .logged("answered")
      .filter((line) => line.path?.includes(path) === true)
      .map(({ pid }) => pid),
  );
}

story("workers share the port, and of all that race for a lock one gets it and the others learn who", async (t) => {
  const server = await Serving.start(t, { config: { workers: 2 } });
  const Refused = Type.Object({ lock: LockResponse.properties.lock });
  for (let round = 0; round < PATHS; round += 1) {
    const path = `/${REPOSITORY}/locks`;
    const body = { path: `art/${round}.psd` };
    const answers = await Promise.all(
      Array.from({ length: CONTENDERS }, () => onNewConnection(server, { method: "POST", path, body })),
    );
    const [winner, ...more] = answers.filter(({ status }) => status === 201);
    assert.ok(winner !== undefined && more.length === 0, answers.map(({ status }) => status).join());
    const { lock } = message(LockResponse, 201, winner);
    for (const answer of answers) if (answer !== winner) assert.deepEqual(message(Refused, 409, answer).lock, lock);
  }
  await server.untilLogged("answered", PATHS * CONTENDERS);
  assert.equal(answerers(server, "locks").size, 2, "both workers had a part");
  await server.stop();
});

story("users and tokens that the command line adds and removes count at once in every worker", async (t) => {
  const access = [{ who: "users", repositories: "**", right: "write" }];
  const server = await Serving.start(t, { config: { workers: 2, access } });
  let asked = 0;
  const statuses = async (credentials: string): Promise<number[]> => {
    const path = `/${REPOSITORY}/locks`;
    const all = await Promise.all(
      Array.from({ length: 8 }, () =>
        onNewConnection(server, { method: "POST", path: `${path}/verify`, body: {}, credentials }),
      ),
    );
    asked += all.length;
    return [...new Set(all.map(({ status }) => status))];
  };
  const ada = "ada:correct horse battery";
  await server.holdall(["user", "add", "ada", "--password-stdin"], { input: "correct horse battery\n" });
  await server.holdall(["repo", "create", REPOSITORY]);
  assert.deepEqual(await statuses(ada), [200]);
  const what = ["--user", "ada", "--right", "write", "--repository", REPOSITORY];
  const token = `ada:${(await server.holdall(["token", "create", ...what])).stdout.trim()}`;
  assert.deepEqual(await statuses(token), [200]);

  const list = JSON.parse((await server.holdall(["token", "list", "--json"])).stdout) as { tokens: { id: string }[] };
  await server.holdall(["token", "revoke", list.tokens[0]?.id ?? assert.fail("the token is listed")]);
  assert.ok(!(await statuses(token)).includes(200));
  await server.holdall(["user", "remove", "ada"]);
  assert.ok(!(await statuses(ada)).includes(200));

  await server.untilLogged("answered", asked);
  assert.equal(answerers(server, "locks/verify").size, 2, "both workers had a part");
});
