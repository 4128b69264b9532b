import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ErrorResponse, ListLocksResponse, Lock, LockResponse, VerifyLocksResponse } from "@holdall/lfs-protocol";
import { Type } from "typebox";
import { message, refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({
  users: ["ada", "bob", "reader"],
  admins: ["root"],
  rules: [
    ["user:ada", "**", "write"],
    ["user:bob", "**", "write"],
    ["user:reader", "**", "read"],
  ],
});
after(() => server[Symbol.asyncDispose]());
const ada = server.as("ada");
const bob = server.as("bob");
const root = server.as("root");

/** 409, with the lock that is in the way. */
const Conflict = Type.Intersect([ErrorResponse, LockResponse]);

test("a lock says what it is on, since when, and whose it is, and is there from then on", async () => {
  const before = Date.now();

  const answer = await ada.post("app/locks", { path: "art/hero.psd", ref: { name: "refs/heads/main" } });

  const { lock } = message(LockResponse, 201, answer);
  assert.deepEqual(Object.keys(lock).sort(), ["id", "locked_at", "owner", "path"]);
  assert.equal(lock.path, "art/hero.psd");
  assert.deepEqual(lock.owner, { name: "ada" });
  assert.match(lock.id, /^[\w-]+$/, "clients put it into a URL as it is");
  assert.match(lock.locked_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.ok(Date.parse(lock.locked_at) >= before - 1000 && Date.parse(lock.locked_at) <= Date.now() + 1000);
  assert.deepEqual(message(ListLocksResponse, 200, await bob.get("app/locks")).locks, [lock]);
});

test("a path that is locked is 409 with the holder's lock, for the holder too", async () => {
  const held = await ada.lock("taken", "a file");

  for (const user of [ada, bob, root]) {
    const { lock, message: said } = message(Conflict, 409, await user.post("taken/locks", { path: "a file" }));
    assert.deepEqual(lock, held);
    assert.match(said, /a file.*ada/);
  }
});

test("of 32 who lock a path at once one gets it, and the others get to know that one", async () => {
  const users = Array.from({ length: 32 }, (_, n) => (n % 2 === 0 ? ada : bob));

  const answers = await Promise.all(users.map((user) => user.post("race/locks", { path: "a file" })));

  const won = answers.filter(({ status }) => status === 201);
  assert.equal(won.length, 1);
  const [winner] = won;
  assert.ok(winner !== undefined);
  const { lock } = message(LockResponse, 201, winner);
  for (const answer of answers) if (answer !== winner) assert.deepEqual(message(Conflict, 409, answer).lock, lock);
});

test("who holds a lock is who signed in, whatever the message says", async () => {
  const answer = await ada.post("app/locks", { path: "not bob's", owner: { name: "bob" }, id: "1", locked_at: "x" });

  assert.deepEqual(message(LockResponse, 201, answer).lock.owner, { name: "ada" });
});

test("the branch that a client names makes no difference: a lock is on the path in all of them", async () => {
  for (const ref of [undefined, null, {}, { name: null }, { name: "refs/heads/other" }])
    message(LockResponse, 201, await ada.post("app/locks", { path: `by ${JSON.stringify(ref)}`, ref }));

  await ada.post("branches/locks", { path: "a file", ref: { name: "refs/heads/one" } });
  message(Conflict, 409, await bob.post("branches/locks", { path: "a file", ref: { name: "refs/heads/two" } }));
});

const PATHS = [
  "größe/日本語.bin",
  "with space",
  " leading",
  "a=b&c=d",
  "percent%20",
  "back\\slash",
  "-rf",
  ".hidden",
  "..a",
  "a..b",
  "'\";DROP TABLE locks;--",
  "tab\tbed",
  "🦊",
  "\u202eltr",
  "ö".normalize("NFC"),
  "ö".normalize("NFD"),
  "CASE",
  "case",
  "x".repeat(4096),
  "ö".repeat(2048),
  "🦊".repeat(1024),
  "%",
  "?#",
];

test("any path that a file can have is locked, found and released, each byte for byte another", async () => {
  for (const path of PATHS) {
    const lock = await ada.lock("paths", path);
    assert.equal(lock.path, path);
    const { locks } = message(ListLocksResponse, 200, await ada.get(`paths/locks?path=${encodeURIComponent(path)}`));
    assert.deepEqual(locks, [lock], path);
  }
  const { locks } = message(ListLocksResponse, 200, await ada.get("paths/locks?limit=1000"));
  assert.deepEqual(locks.map(({ path }) => path).sort(), [...PATHS].sort());
  for (const { id } of locks) message(LockResponse, 200, await ada.post(`paths/locks/${id}/unlock`, {}));
});

const NO_PATHS = [
  "",
  "/",
  "/absolute",
  "a//b",
  "a/",
  "..",
  "../up",
  "a/../b",
  "a/..",
  ".",
  "./a",
  "nul\0",
  "line\nbreak",
  "line\rbreak",
  "x".repeat(4097),
  "ö".repeat(2049),
  "half \ud83e",
  null,
  undefined,
  1,
  true,
  [],
  {},
  ["a"],
];

for (const path of NO_PATHS) {
  test(`what is no path of a file cannot be locked, and makes no repository: ${JSON.stringify(path)?.slice(0, 30)}`, async () => {
    refusal(422, await ada.post("no/paths/locks", { path }));

    refusal(404, await ada.get("no/paths/locks"));
  });
}

test("only the holder releases a lock, and hears which it was", async () => {
  const lock = await ada.lock("app", "released");
  const { message: said } = refusal(403, await bob.post(`app/locks/${lock.id}/unlock`, {}));
  assert.match(said, /released.*ada/);
  refusal(403, await server.as("reader").post(`app/locks/${lock.id}/unlock`, { force: true }));

  const answer = await ada.post(`app/locks/${lock.id}/unlock`, { force: false, ref: { name: "main" } });

  assert.deepEqual(message(LockResponse, 200, answer).lock, lock);
  refusal(404, await ada.post(`app/locks/${lock.id}/unlock`, {}));
  assert.notEqual((await bob.lock("app", "released")).id, lock.id);
});

test("force takes no lock from another without the admin right", async () => {
  const lock = await ada.lock("app", "forced by bob");
  const events = server.events.length;

  refusal(403, await bob.post(`app/locks/${lock.id}/unlock`, { force: true }));
  refusal(403, await root.post(`app/locks/${lock.id}/unlock`, {}));

  assert.equal(server.events.length, events);
  message(Conflict, 409, await bob.post("app/locks", { path: "forced by bob" }));
});

test("an administrator takes a lock away by force, and the log says who and whose", async () => {
  const lock = await ada.lock("app", "forced by root");

  const answer = await root.post(`app/locks/${lock.id}/unlock`, { force: true });

  assert.deepEqual(message(LockResponse, 200, answer).lock, lock);
  const event = {
    type: "lock-forced",
    repository: "app",
    path: "forced by root",
    id: lock.id,
    owner: "ada",
    by: "root",
  };
  const { requestId: _, ...last } = server.events.at(-1) ?? assert.fail("there is no event");
  assert.deepEqual(last, event);
});

test("force on one's own lock is nothing special", async () => {
  const events = server.events.length;
  for (const user of [ada, root]) {
    const { id } = await user.lock("app", "own");
    message(LockResponse, 200, await user.post(`app/locks/${id}/unlock`, { force: true }));
  }
  assert.equal(server.events.length, events);
});

test("a lock that several release at once is released once", async () => {
  const { id } = await ada.lock("app", "released by many");

  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => ada.post(`app/locks/${id}/unlock`, { force: n % 2 === 0 })),
  );

  assert.deepEqual(
    answers.map(({ status }) => status).sort((a, b) => a - b),
    [200, 404, 404, 404, 404, 404, 404, 404],
  );
});

test("a lock of another repository is not to be had by its id", async () => {
  const lock = await ada.lock("secret/app", "a file");
  await bob.lock("bobs/app", "another file");

  for (const user of [ada, bob, root]) {
    refusal(404, await user.post(`bobs/app/locks/${lock.id}/unlock`, { force: true }));
    assert.deepEqual(message(ListLocksResponse, 200, await user.get(`bobs/app/locks?id=${lock.id}`)).locks, []);
  }
  assert.deepEqual(message(ListLocksResponse, 200, await ada.get("secret/app/locks")).locks, [lock]);
});

test("a lock that is not there is 404, whatever its id looks like", async () => {
  await ada.lock("app", "some file");
  for (const id of [
    "999999",
    "0",
    "-1",
    "x",
    "1.0",
    "99999999999999999999",
    "%20",
    "a%2Fb",
    "a b".replace(" ", "%20"),
    "verify",
  ]) {
    refusal(404, await ada.post(`app/locks/${id}/unlock`, {}));
  }
});

test("whether to force is true or false and nothing else", async () => {
  const { id } = await ada.lock("app", "forcefully");
  for (const force of ["true", 1, "", [], {}]) refusal(422, await ada.post(`app/locks/${id}/unlock`, { force }));

  message(LockResponse, 200, await ada.post(`app/locks/${id}/unlock`, { force: null }));
});

test("before a push everything locked is there, one's own apart from that of others, and each with its owner", async () => {
  const [a, b, c] = [await ada.lock("both", "a"), await bob.lock("both", "b"), await ada.lock("both", "c")];

  const forAda = message(
    VerifyLocksResponse,
    200,
    await ada.post("both/locks/verify", { ref: { name: "refs/heads/main" } }),
  );
  const forBob = message(VerifyLocksResponse, 200, await bob.post("both/locks/verify", {}));

  assert.deepEqual(forAda, { ours: [c, a], theirs: [b] });
  assert.deepEqual(forBob, { ours: [b], theirs: [c, a] });
});

test("before the first push there are no locks, which is no error: clients turn lock checks off after a 404", async () => {
  for (const body of [{}, { ref: null }, { ref: {} }, { cursor: null, limit: null }, { cursor: "", limit: 0 }]) {
    const answer = await ada.post("not/there/yet/locks/verify", body);
    assert.deepEqual(message(VerifyLocksResponse, 200, answer), { ours: [], theirs: [] });
  }
  refusal(404, await ada.get("not/there/yet/locks"));
  // Nor is what can be no name.
  refusal(403, await ada.post("not/../there/locks/verify", {}));
});

test("lists without locks are empty lists, not absent and not null", async () => {
  await ada.upload("empty", Buffer.from("so that it is there"));

  assert.equal((await ada.get("empty/locks")).body.toString(), '{"locks":[]}');
  assert.equal((await ada.post("empty/locks/verify", {})).body.toString(), '{"ours":[],"theirs":[]}');
});

test("a lock has the form that clients can read, a text for its id above all", async () => {
  await ada.lock("app", "of the right form");

  for (const { id } of message(Type.Object({ locks: Type.Array(Lock) }), 200, await ada.get("app/locks")).locks)
    assert.equal(typeof id, "string");
});
