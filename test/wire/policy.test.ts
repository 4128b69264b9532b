import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createToken } from "@holdall/identity";
import { VerifyLocksResponse } from "@holdall/lfs-protocol";
import { seededBytes, sha256 } from "../support/content.ts";
import type { Answer } from "../support/http.ts";
import { LfsUser } from "../support/lfs-user.ts";
import { message, refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({
  users: ["stranger", "reader", "writer"],
  admins: ["admin"],
  rules: [
    ["anyone", "public/**", "read"],
    ["user:reader", "**", "read"],
    ["user:writer", "**", "write"],
  ],
});
after(() => server[Symbol.asyncDispose]());

const BYTES = seededBytes(1, 1000);
const OID = sha256(BYTES);
const writer = server.as("writer");
for (const repository of ["public/app", "private/app"]) await writer.upload(repository, BYTES);
let count = 0;

/** What can be done to a repository, each done in a way that only the right to it can stop. */
const ACTIONS: Readonly<Record<string, (user: LfsUser, repository: string) => Promise<Answer>>> = {
  "batch download": (user, repository) => user.askBatch(repository, "download", [{ oid: OID, size: 1000 }]),
  "batch upload": (user, repository) => user.askBatch(repository, "upload", [{ oid: OID, size: 1000 }]),
  "get an object": (user, repository) => user.get(`${repository}/objects/${OID}`),
  "put an object": (user, repository) => {
    const bytes = Buffer.from(`number ${++count}`);
    return user.request("PUT", `/${repository}/objects/${sha256(bytes)}`, { body: bytes });
  },
  "list locks": (user, repository) => user.get(`${repository}/locks`),
  "verify locks": (user, repository) => user.post(`${repository}/locks/verify`, {}),
  "create a lock": (user, repository) => user.post(`${repository}/locks`, { path: `file ${++count}` }),
  "take the writer's lock away": async (user, repository) => {
    // Where there is no repository, there is no lock.
    const { id } = repository.endsWith("/app") ? await writer.lock(repository, `file ${++count}`) : { id: "1" };
    return await user.post(`${repository}/locks/${id}/unlock`, {});
  },
};

type Who = "anonymous" | "wrong password" | "stranger" | "reader" | "writer" | "admin";

/**
 * Statuses in the order of the actions. A repository that does not exist has the same rules as its neighbours. To verify
 * locks is never 404, at which clients turn lock checks off for good: whoever may not read hears 403, everywhere.
 */
const EXPECTED: Readonly<Record<string, Readonly<Record<Who, readonly number[]>>>> = {
  "public/app": {
    anonymous: [200, 401, 200, 401, 200, 401, 401, 401],
    "wrong password": [401, 401, 401, 401, 401, 401, 401, 401],
    stranger: [200, 403, 200, 403, 200, 403, 403, 403],
    reader: [200, 403, 200, 403, 200, 403, 403, 403],
    writer: [200, 200, 200, 200, 200, 200, 201, 200],
    admin: [200, 200, 200, 200, 200, 200, 201, 403],
  },
  "private/app": {
    anonymous: [401, 401, 401, 401, 401, 401, 401, 401],
    "wrong password": [401, 401, 401, 401, 401, 401, 401, 401],
    stranger: [404, 404, 404, 404, 404, 403, 404, 404],
    reader: [200, 403, 200, 403, 200, 403, 403, 403],
    writer: [200, 200, 200, 200, 200, 200, 201, 200],
    admin: [200, 200, 200, 200, 200, 200, 201, 403],
  },
  "public/none": {
    anonymous: [404, 401, 404, 401, 404, 401, 401, 401],
    "wrong password": [401, 401, 401, 401, 401, 401, 401, 401],
    stranger: [404, 403, 404, 403, 404, 403, 403, 403],
    reader: [404, 403, 404, 403, 404, 403, 403, 403],
    writer: [404, 200, 404, 200, 404, 200, 201, 404],
    admin: [404, 200, 404, 200, 404, 200, 201, 404],
  },
  "private/none": {
    anonymous: [401, 401, 401, 401, 401, 401, 401, 401],
    "wrong password": [401, 401, 401, 401, 401, 401, 401, 401],
    stranger: [404, 404, 404, 404, 404, 403, 404, 404],
    reader: [404, 403, 404, 403, 404, 403, 403, 403],
    writer: [404, 200, 404, 200, 404, 200, 201, 404],
    admin: [404, 200, 404, 200, 404, 200, 201, 404],
  },
};

function as(who: Who): LfsUser {
  if (who === "anonymous") return server.as();
  // Another one each time: the same wrong credentials again and again are answered otherwise.
  if (who === "wrong password") return new LfsUser(server.port, `writer${++count}:wrong`);
  return server.as(who);
}

for (const [repository, byWho] of Object.entries(EXPECTED)) {
  for (const [who, statuses] of Object.entries(byWho)) {
    for (const [index, [action, act]] of Object.entries(ACTIONS).entries()) {
      const status = statuses[index] ?? 0;
      test(`${who} may ${status < 300 ? "" : "not "}${action} in ${repository}: ${status}`, async () => {
        // Writing to what does not exist makes it.
        const name = repository.endsWith("/none") ? `${repository}-${++count}` : repository;

        const answer = await act(as(who as Who), name);

        assert.equal(answer.status, status, answer.body.toString());
        if (status >= 300) refusal(status, answer);
        assert.equal(answer.headers["lfs-authenticate"], status === 401 ? 'Basic realm="Git LFS"' : undefined);
        assert.equal(answer.headers["www-authenticate"], undefined, "no browser is to open a dialogue");
      });
    }
  }
}

test("who may not read a repository cannot tell whether it exists", async () => {
  for (const who of ["anonymous", "stranger"] as const) {
    for (const act of Object.values(ACTIONS)) {
      const there = await act(as(who), "private/app");
      const nowhere = await act(as(who), "private/gone");

      assert.equal(there.status, nowhere.status);
      const say = (answer: Answer): string => refusal(answer.status, answer).message.replace(/private\/\w+/, "");
      assert.equal(say(there), say(nowhere));
    }
  }
});

test("credentials come before the content of a request", async () => {
  const wrong = { operation: "upload", objects: [], hash_algo: "sha512" };

  refusal(401, await server.as().post("private/app/objects/batch", wrong));
  refusal(404, await server.as("stranger").post("private/app/objects/batch", wrong));
  refusal(403, await server.as("reader").post("private/app/objects/batch", wrong));
  refusal(422, await writer.post("private/app/objects/batch", wrong));
});

test("the same wrong credentials again and again end in 403, at which every client stops", async () => {
  for (const [action, act] of Object.entries(ACTIONS)) {
    const user = new LfsUser(server.port, `helper${++count}:always the same`);
    let tries = 1;
    while ((await act(user, "private/app")).status !== 403) {
      tries += 1;
      assert.ok(tries < 20, `${action} is answered 401 for ever`);
    }
    assert.ok(tries > 1, "the first time the client's helper may know better");
  }
});

test("too many failed sign-ins for a user are 429 with Retry-After, and working ones go on", async () => {
  await writer.get("private/app/locks");
  let answer: Answer;
  let tries = 0;
  do {
    answer = await new LfsUser(server.port, `writer:guess ${++count}`).get("private/app/locks");
    tries += 1;
  } while (answer.status === 401 && tries < 100);

  refusal(429, answer);
  assert.match(answer.headers["retry-after"] ?? "", /^[1-9]\d*$/);
  assert.equal((await writer.get("private/app/locks")).status, 200);
});

test("an API token in the password's place does what its scope allows, whoever is named", async () => {
  const { secret: reads } = await createToken(server.metadata.tokens, {
    user: "writer",
    right: "read",
    repositories: ["private/*"],
  });
  const { secret: writes } = await createToken(server.metadata.tokens, {
    user: "writer",
    right: "write",
    repositories: ["private/app"],
  });

  const reader = new LfsUser(server.port, `anything:${reads}`);
  assert.equal((await reader.get("private/app/locks")).status, 200);
  const { message: said } = refusal(403, await reader.post("private/app/locks/verify", {}));
  assert.match(said, /token/);
  refusal(404, await reader.get("other/app/locks"));

  const scoped = new LfsUser(server.port, `:${writes}`);
  const lock = await scoped.lock("private/app", "by token");
  assert.equal(lock.owner.name, "writer");
  refusal(404, await scoped.get("private/app2/locks"));
  refusal(403, await scoped.post("private/app2/locks/verify", {}));
});

test("with the switch turned off nobody brings a repository into being, and clients keep their lock checks", async () => {
  await using closed = await WireServer.start({ createRepositories: false });
  const user = closed.as();
  for (const [action, act] of Object.entries(ACTIONS)) {
    const answer = await act(user, "none");
    // After a 404 to this one a client never asks again, not even when somebody has made the repository.
    if (action !== "verify locks") refusal(404, answer);
    else assert.deepEqual(message(VerifyLocksResponse, 200, answer), { ours: [], theirs: [] });
  }
  assert.deepEqual(await closed.stored(), []);
});
