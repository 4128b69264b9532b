import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { describe, it, type TestContext } from "node:test";
import { newFolder } from "./fixtures/folder.ts";
import type { Outcome, Statement } from "./messages.ts";
import { WriteConnection } from "./write-connection.ts";

async function newConnection(t: TestContext): Promise<WriteConnection> {
  const folder = await newFolder();
  const file = folder.path("a.db");
  await writeFile(file, "");
  const connection = new WriteConnection(file, 1000);
  t.after(async () => {
    connection.handle({ do: "close" });
    await folder.remove();
  });
  assert.deepEqual(codes(connection.handle({ do: "write", units: [[say("create table a (b text unique) strict")]] })), [
    "ok",
  ]);
  return connection;
}

function say(sql: string, ...parameters: unknown[]): Statement {
  return { sql, parameters };
}

function insert(text: unknown): Statement {
  return say("insert into a values (?)", text);
}

function codes(outcomes: readonly Outcome[]): unknown[] {
  return outcomes.map((outcome) => ("failure" in outcome ? outcome.failure.errcode : "ok"));
}

function rows(connection: WriteConnection, query = "select b from a order by b"): unknown[] {
  const [outcome] = connection.handle({ do: "write", units: [[say(query)]] });
  assert.ok(outcome !== undefined && "results" in outcome);
  return (outcome.results[0]?.rows ?? []).map((row) => Object.values(row as object)[0]);
}

describe("the connection that writes", () => {
  it("writes to a log that is synced at every commit: what was acknowledged survives a power cut", async (t) => {
    const connection = await newConnection(t);
    assert.deepEqual(rows(connection, "pragma journal_mode"), ["wal"]);
    const FULL = 2;
    assert.deepEqual(rows(connection, "pragma synchronous"), [FULL]);
  });
});

describe("units that share a transaction", () => {
  it("are each all or nothing", async (t) => {
    const connection = await newConnection(t);
    const units = [[insert("a")], [insert("b"), insert("a")], [insert("c"), insert("d")]];
    assert.deepEqual(codes(connection.handle({ do: "write", units })), ["ok", 2067, "ok"]);
    assert.deepEqual(rows(connection), ["a", "c", "d"]);
  });

  it("all fail when SQLite gives up the whole transaction, as it may on a full disk", async (t) => {
    const connection = await newConnection(t);
    const units = [[insert("a")], [say("insert or rollback into a values ('a')")], [insert("c")]];
    assert.deepEqual(codes(connection.handle({ do: "write", units })), [2067, 2067, 2067]);
    assert.deepEqual(rows(connection), []);
    assert.deepEqual(codes(connection.handle({ do: "write", units: [[insert("d")]] })), ["ok"]);
  });

  it("fail alone on a value that SQLite does not have", async (t) => {
    const connection = await newConnection(t);
    const units = [[insert("a")], [insert({})], [insert("c")]];
    assert.deepEqual(codes(connection.handle({ do: "write", units })), ["ok", undefined, "ok"]);
    assert.deepEqual(rows(connection), ["a", "c"]);
  });
});
