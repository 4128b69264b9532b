import assert from "node:assert/strict";
import { LockResponse } from "@holdall/lfs-protocol";
import { Type } from "typebox";
import { message } from "../support/messages.ts";
import { Server } from "../support/server.ts";
import { story } from "./support/story.ts";

const REPOSITORY = "team/app";
const CONTENDERS = 16;
const PATHS = 10;

/** The worker that answers is another for each new connection. */
const OWN_CONNECTIONS = { ownConnections: true };

/** The workers that have answered a request for this path. */
function answerers(server: Server, path: string): Set<number> {
  return new Set(
    server
      .logged("answered")
      .filter((line) => line.path?.includes(path) === true)
      .map(({ pid }) => pid),
  );
}

story("workers share the port, and of all that race for a lock one gets it and the others learn who", async (t) => {
  const server = await Server.start(t, { config: { workers: 2 } });
  const Refused = Type.Object({ lock: LockResponse.properties.lock });
  for (let round = 0; round < PATHS; round += 1) {
    const path = `art/${round}.psd`;
    const user = server.user(undefined, OWN_CONNECTIONS);
    const answers = await Promise.all(
      Array.from({ length: CONTENDERS }, () => user.post(`${REPOSITORY}/locks`, { path })),
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
  const server = await Server.start(t, { config: { workers: 2, access } });
  let asked = 0;
  const statuses = async (credentials: string): Promise<number[]> => {
    const user = server.user(credentials, OWN_CONNECTIONS);
    const all = await Promise.all(Array.from({ length: 8 }, () => user.post(`${REPOSITORY}/locks/verify`, {})));
    asked += all.length;
    return [...new Set(all.map(({ status }) => status))];
  };
  const ada = "ada:correct horse battery";
  await server.addUser("ada", "correct horse battery");
  await server.holdall(["repo", "create", REPOSITORY]);
  assert.deepEqual(await statuses(ada), [200]);
  const token = `ada:${await server.createToken("ada", "write", REPOSITORY)}`;
  assert.deepEqual(await statuses(token), [200]);

  const list = JSON.parse((await server.holdall(["token", "list", "--json"])).stdout) as { tokens: { id: string }[] };
  await server.holdall(["token", "revoke", list.tokens[0]?.id ?? assert.fail("the token is listed")]);
  assert.ok(!(await statuses(token)).includes(200));
  await server.holdall(["user", "remove", "ada"]);
  assert.ok(!(await statuses(ada)).includes(200));

  await server.untilLogged("answered", asked);
  assert.equal(answerers(server, "locks/verify").size, 2, "both workers had a part");
});
