import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ListLocksResponse, LockResponse, VerifyLocksResponse, type Lock } from "@holdall/lfs-protocol";
import { message, refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({ users: ["ada", "bob"], rules: [["users", "**", "write"]] });
after(() => server[Symbol.asyncDispose]());
const ada = server.as("ada");
const bob = server.as("bob");

const COUNT = 230;
/** Newest first, as they are listed. */
const LOCKS: Lock[] = [];
for (let n = 0; n < COUNT; n += 1) LOCKS.unshift(await (n % 3 === 0 ? bob : ada).lock("app", `file ${n}`));

async function list(query: string): Promise<ListLocksResponse> {
  return message(ListLocksResponse, 200, await ada.get(`app/locks${query}`));
}

test("locks are listed newest first, a hundred at a time unless more are wanted", async () => {
  const first = await list("");
  assert.deepEqual(first.locks, LOCKS.slice(0, 100));
  assert.ok(first.next_cursor !== undefined);

  assert.deepEqual(await list("?limit=1000"), { locks: LOCKS });
});

for (const limit of [1, 7, 100, 115, 229, 230, 231, 100_000, Number.MAX_SAFE_INTEGER]) {
  test(`going through the locks by pages of ${limit} finds each once`, async () => {
    const found: Lock[] = [];
    let cursor: string | undefined = "";
    while (cursor !== undefined) {
      const page: ListLocksResponse = await list(`?limit=${limit}&cursor=${encodeURIComponent(cursor)}`);
      assert.ok(page.locks.length <= limit && page.locks.length > 0);
      found.push(...page.locks);
      assert.notEqual(page.next_cursor, cursor, "a cursor that stands still is an endless loop to clients");
      assert.notEqual(page.next_cursor, "");
      cursor = page.next_cursor;
    }
    assert.deepEqual(found, LOCKS);
  });

  test(`going through the locks before a push by pages of ${limit} finds each once, on its side`, async () => {
    const ours: Lock[] = [];
    const theirs: Lock[] = [];
    let cursor: string | undefined;
    do {
      const body = cursor === undefined ? { limit } : { limit, cursor };
      const page: VerifyLocksResponse = message(VerifyLocksResponse, 200, await ada.post("app/locks/verify", body));
      ours.push(...page.ours);
      theirs.push(...page.theirs);
      cursor = page.next_cursor;
    } while (cursor !== undefined);
    assert.deepEqual(
      ours,
      LOCKS.filter(({ owner }) => owner.name === "ada"),
    );
    assert.deepEqual(
      theirs,
      LOCKS.filter(({ owner }) => owner.name === "bob"),
    );
  });
}

test("pages are not disturbed by locks that come and go meanwhile", async () => {
  const repository = "busy";
  const kept: Lock[] = [];
  const going: Lock[] = [];
  for (let n = 0; n < 20; n += 1) (n % 4 === 0 ? going : kept).push(await ada.lock(repository, `file ${n}`));
  const first = message(ListLocksResponse, 200, await ada.get(`${repository}/locks?limit=5`));
  for (const { id } of going) await ada.post(`${repository}/locks/${id}/unlock`, {});
  for (let n = 0; n < 5; n += 1) await ada.lock(repository, `new file ${n}`);

  const seen = [...first.locks];
  let cursor = first.next_cursor;
  while (cursor !== undefined) {
    const page: ListLocksResponse = message(
      ListLocksResponse,
      200,
      await ada.get(`${repository}/locks?limit=5&cursor=${cursor}`),
    );
    seen.push(...page.locks);
    cursor = page.next_cursor;
  }

  const ids = seen.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "none twice");
  for (const { id } of kept) assert.ok(ids.includes(id), "none left out");
});

test("a lock is found by its path or its id, and both together must fit", async () => {
  const [lock, other] = LOCKS;
  assert.ok(lock !== undefined && other !== undefined);
  const path = encodeURIComponent(lock.path);

  assert.deepEqual(await list(`?path=${path}`), { locks: [lock] });
  assert.deepEqual(await list(`?id=${lock.id}`), { locks: [lock] });
  assert.deepEqual(await list(`?id=${lock.id}&path=${path}&refspec=refs%2Fheads%2Fmain&limit=1`), { locks: [lock] });
  assert.deepEqual(await list(`?id=${other.id}&path=${path}`), { locks: [] });
});

test("nothing found is an empty list, not an error", async () => {
  for (const query of [
    "?path=nowhere",
    "?id=999999",
    "?id=x",
    "?id=-1",
    "?path=%00",
    "?path=..%2F..",
    "?path=file",
    "?path=FILE%201",
    "?path=file%25",
  ])
    assert.deepEqual(await list(query), { locks: [] }, query);
});

test("empty and unknown parameters say nothing", async () => {
  for (const query of [
    "?",
    "?path=",
    "?id=&path=&cursor=&limit=&refspec=",
    "?limit=0",
    "?whatever=1",
    "?refspec=nowhere",
    "?%zz",
    "?=&&",
  ])
    assert.deepEqual((await list(query)).locks, LOCKS.slice(0, 100), query);
});

test("a limit or a cursor that is none is 422", async () => {
  for (const query of [
    "limit=x",
    "limit=-1",
    "limit=1.5",
    "limit=1e2",
    "limit=%20",
    "limit=NaN",
    "cursor=x",
    "cursor=-1",
    "cursor=0",
    "cursor=1.5",
    "cursor=%00",
    "cursor=99999999999999999999",
    "limit=1&limit=2",
    "path=a&path=b",
    "cursor=1&cursor=2",
  ])
    refusal(422, await ada.get(`app/locks?${query}`));
  for (const body of [
    { limit: -1 },
    { limit: 1.5 },
    { limit: "1" },
    { cursor: 1 },
    { cursor: "x" },
    { cursor: "0" },
    { ref: "main" },
    [],
    null,
    "x",
    1,
  ])
    refusal(422, await ada.post("app/locks/verify", body));
});

test("a cursor past the end is an empty list", async () => {
  assert.deepEqual(await list("?cursor=1"), { locks: [] });
});

test("locks of one repository are nowhere else", async () => {
  message(LockResponse, 201, await ada.post("beside/locks", { path: "file 1" }));

  assert.equal(message(ListLocksResponse, 200, await ada.get("beside/locks")).locks.length, 1);
  assert.equal((await list("?path=file%201")).locks.length, 1);
});
