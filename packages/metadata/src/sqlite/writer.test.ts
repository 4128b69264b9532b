import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { sql } from "kysely";
import { hasCode, oidOf, range, repositoryName } from "../contract/subject.ts";
import type { Metadata } from "../port.ts";
import { SqliteDatabase } from "./database.ts";
import { newFolder } from "./fixtures/folder.ts";
import { commitsInLog } from "./fixtures/log-commits.ts";
import { openSqlite } from "./open.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

async function newMetadata(t: TestContext): Promise<{ file: string; metadata: Metadata }> {
  const folder = await newFolder();
  const file = folder.path("metadata.db");
  const metadata = await openSqlite({ file });
  t.after(async () => {
    await metadata.close();
    await folder.remove();
  });
  return { file, metadata };
}

/** The adapter's inside over an existing database, with a thread of the test's choice. */
function newDatabase(t: TestContext, file: string, startThread = (): Worker => writerThread(file)): SqliteDatabase {
  const database = new SqliteDatabase(Reader.open(file, 1000), new Writer(file, startThread));
  t.after(() => database.close());
  return database;
}

function writerThread(file: string): Worker {
  return new Worker(new URL("writer-thread.ts", import.meta.url), { workerData: { file, busyLimit: 1000 } });
}

describe("group commit", () => {
  it("takes many writes that come at once into few transactions", async (t) => {
    const { file, metadata } = await newMetadata(t);
    const { id } = await metadata.repositories.ensure(repositoryName("r"));
    const link = (name: string): Promise<void> => metadata.objects.link(id, { oid: oidOf(name), size: 1 });

    const before = commitsInLog(file);
    for (const name of range(20, (index) => `one by one ${index}`)) await link(name);
    assert.equal(commitsInLog(file) - before, 20);

    const between = commitsInLog(file);
    await Promise.all(range(64, (index) => link(`at once ${index}`)));
    assert.ok(commitsInLog(file) - between <= 2, `64 links took ${commitsInLog(file) - between} transactions`);
  });

  it("keeps each write's failure to itself", async (t) => {
    const { file, metadata } = await newMetadata(t);
    const { id } = await metadata.repositories.ensure(repositoryName("r"));
    const before = commitsInLog(file);
    const links = await Promise.allSettled(
      range(60, (index) =>
        metadata.objects.link(index % 3 === 1 ? id + 1000 : id, { oid: oidOf(`${index}`), size: index }),
      ),
    );
    assert.ok(commitsInLog(file) - before <= 2);
    links.forEach((link, index) => {
      assert.equal(link.status, index % 3 === 1 ? "rejected" : "fulfilled");
      if (link.status === "rejected") hasCode("not-found")(link.reason);
    });
    assert.equal((await metadata.repositories.usage(repositoryName("r")))?.objects, 40);
    // What a failed link did before it failed is undone.
    await metadata.objects.link(id, { oid: oidOf("1"), size: 1_000_000 });
  });
});

describe("a transaction through Kysely", () => {
  it("is all or nothing, sees itself, and is seen by others only at its end", async (t) => {
    const { file } = await newMetadata(t);
    const { db } = newDatabase(t, file);
    const names = async (of = db): Promise<string[]> =>
      (await of.selectFrom("repositories").select("name").orderBy("name").execute()).map(({ name }) => name);

    await db.transaction().execute(async (transaction) => {
      await transaction.insertInto("repositories").values({ name: "a", created_at: 0 }).execute();
      assert.deepEqual(await names(transaction), ["a"]);
      assert.deepEqual(await names(), []);
    });
    assert.deepEqual(await names(), ["a"]);

    await assert.rejects(
      db.transaction().execute(async (transaction) => {
        await transaction.insertInto("repositories").values({ name: "b", created_at: 0 }).execute();
        await transaction.insertInto("repositories").values({ name: "a", created_at: 0 }).execute();
      }),
      hasCode("conflict"),
    );
    assert.deepEqual(await names(), ["a"]);
  });

  it("has the writer to itself: a write of somebody else waits, and stays when it is rolled back", async (t) => {
    const { file } = await newMetadata(t);
    const { db } = newDatabase(t, file);
    const order: string[] = [];
    let other: Promise<unknown> | undefined;
    const failing = db.transaction().execute(async (transaction) => {
      await transaction.insertInto("repositories").values({ name: "mine", created_at: 0 }).execute();
      const insert = db.insertInto("repositories").values({ name: "theirs", created_at: 0 });
      other = insert.execute().then(() => order.push("theirs"));
      await sql`select 1`.execute(transaction);
      order.push("mine fails");
      throw new Error("changed my mind");
    });
    await assert.rejects(failing, /changed my mind/);
    await other;
    assert.deepEqual(order, ["mine fails", "theirs"]);
    const kept = await db.selectFrom("repositories").select("name").execute();
    assert.deepEqual(
      kept.map(({ name }) => name),
      ["theirs"],
    );
  });

  it("tells how many rows a statement changed", async (t) => {
    const { file } = await newMetadata(t);
    const { db } = newDatabase(t, file);
    await db
      .insertInto("repositories")
      .values(range(3, (index) => ({ name: `${index}`, created_at: 0 })))
      .execute();
    const { numUpdatedRows } = await db.updateTable("repositories").set({ created_at: 1 }).executeTakeFirstOrThrow();
    assert.equal(numUpdatedRows, 3n);
  });
});

describe("the writer's thread", () => {
  it("is not started by reading", async (t) => {
    const { file } = await newMetadata(t);
    const database = newDatabase(t, file, () => assert.fail("no thread is needed"));
    await database.ping();
    assert.deepEqual(await database.linked(1, [oidOf("a")]), { sizes: [null], suspects: [] });
  });

  it("when it dies, leaves nobody waiting, and says so from then on", async (t) => {
    const { file } = await newMetadata(t);
    const dying = `require("node:worker_threads").parentPort.once("message", () => { throw new Error("out of luck"); });`;
    const database = newDatabase(t, file, () => new Worker(dying, { eval: true }));
    const add = (name: string): Promise<unknown> =>
      database.db.insertInto("repositories").values({ name, created_at: 0 }).execute();
    const writes = [add("a"), add("b"), database.db.transaction().execute(() => assert.fail("never begins"))];
    for (const write of await Promise.allSettled(writes)) {
      assert.equal(write.status, "rejected");
      hasCode("unavailable")(write.reason);
      assert.match(String(write.reason), /ended by itself/);
    }
    await assert.rejects(add("c"), hasCode("unavailable"));
    await assert.rejects(database.ping(), hasCode("unavailable"));
    assert.deepEqual(await database.db.selectFrom("repositories").selectAll().execute(), [], "reading goes on");
    await database.close();
  });
});
