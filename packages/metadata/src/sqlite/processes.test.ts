import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it, type TestContext } from "node:test";
import type { Oid } from "@holdall/lfs-protocol";
import { hasCode, linkedSizes, oidOf, range, repositoryName } from "../contract/subject.ts";
import type { Metadata } from "../port.ts";
import { newFolder } from "./fixtures/folder.ts";
import { Child } from "./fixtures/process.ts";
import { openSqlite, type SqliteOptions } from "./open.ts";

/** A path for a database that goes with the test. */
async function newFile(t: TestContext): Promise<string> {
  const folder = await newFolder();
  t.after(() => folder.remove());
  return folder.path("metadata.db");
}

async function openFor(t: TestContext, options: SqliteOptions): Promise<Metadata> {
  const metadata = await openSqlite(options);
  t.after(() => metadata.close());
  return metadata;
}

function start(t: TestContext, job: string, file: string): Child {
  const child = Child.start(job, file);
  t.after(async () => {
    child.kill();
    await child.ended();
  });
  return child;
}

describe("several processes with one SQLite file", () => {
  it("start at once on a new file", async (t) => {
    const file = await newFile(t);
    const children = range(4, () => start(t, "open", file));
    assert.deepEqual(
      await Promise.all(children.map((child) => child.rest())),
      range(4, () => ["opened"]),
    );
    for (const child of children) assert.equal(await child.ended(), 0);
    const metadata = await openFor(t, { file });
    await metadata.ping();
  });

  it("race for locks: each path has one holder, and all agree who", async (t) => {
    const file = await newFile(t);
    const children = range(2, () => start(t, "lock", file));
    for (const child of children) assert.equal(await child.next(), "ready");
    for (const child of children) child.go();
    const told = await Promise.all(children.map((child) => child.rest()));
    const answers = told.flat() as { path: string; created: boolean; id: string; holder: string; owner: string }[];
    assert.equal(answers.length, 120);
    for (const path of range(60, String)) {
      const both = answers.filter((answer) => answer.path === path);
      const [winner, ...others] = both.filter(({ created }) => created);
      assert.ok(winner !== undefined && others.length === 0, `path ${path} was locked once`);
      assert.equal(winner.holder, winner.owner);
      for (const { id, holder } of both) assert.deepEqual([id, holder], [winner.id, winner.owner]);
    }
  });

  it("lose nothing that was acknowledged when one is killed", async (t) => {
    const file = await newFile(t);
    for (let round = 0; round < 3; round++) {
      const child = start(t, "link", file);
      const acknowledged = [await child.next()];
      while (acknowledged.length < 150) acknowledged.push(await child.next());
      child.kill();
      acknowledged.push(...(await child.rest()));
      const metadata = await openSqlite({ file });
      const { id } = (await metadata.repositories.find(repositoryName("killed"))) ?? assert.fail();
      for (const { oid, size } of acknowledged as { oid: Oid; size: number }[]) {
        assert.deepEqual(await linkedSizes(metadata.objects, id, [oid]), new Map([[oid, size]]));
      }
      await metadata.objects.link(id, { oid: oidOf(`after round ${round}`), size: 1 });
      await metadata.close();
      const database = new DatabaseSync(file, { readOnly: true });
      assert.deepEqual({ ...database.prepare("pragma integrity_check").get() }, { integrity_check: "ok" });
      assert.deepEqual(database.prepare("pragma foreign_key_check").all(), []);
      database.close();
    }
  });

  it("wait for each other without holding up the event loop", async (t) => {
    const file = await newFile(t);
    const metadata = await openFor(t, { file });
    const { id } = await metadata.repositories.ensure(repositoryName("r"));
    const child = start(t, "hold", file);
    assert.equal(await child.next(), "held");
    let linked = false;
    const link = (async () => {
      await metadata.objects.link(id, { oid: oidOf("a"), size: 1 });
      linked = true;
    })();
    // With a blocked event loop the write would have failed or succeeded before any of these.
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal((await metadata.objects.linked(id, [oidOf("a")])).size, 0);
      await metadata.ping();
    }
    assert.equal(linked, false);
    child.go();
    await link;
    assert.equal((await metadata.objects.linked(id, [oidOf("a")])).size, 1);
  });

  it("wait no longer than the limit", async (t) => {
    const file = await newFile(t);
    const metadata = await openFor(t, { file, busyLimit: 30 });
    const { id } = await metadata.repositories.ensure(repositoryName("r"));
    const child = start(t, "hold", file);
    assert.equal(await child.next(), "held");
    const links = range(5, (size) => metadata.objects.link(id, { oid: oidOf(`${size}`), size }));
    for (const link of await Promise.allSettled(links)) {
      assert.equal(link.status, "rejected");
      hasCode("busy")(link.reason);
    }
    child.go();
    assert.equal(await child.ended(), 0);
    await metadata.objects.link(id, { oid: oidOf("0"), size: 0 });
    assert.equal((await metadata.repositories.usage(repositoryName("r")))?.objects, 1);
  });

  it("end by themselves when nobody closes", async (t) => {
    const file = await newFile(t);
    const child = start(t, "forget", file);
    assert.equal(await child.next(), "forgotten");
    assert.equal(await child.ended(), 0);
  });

  it("repair what a process left that died while it created the file", async (t) => {
    const file = await newFile(t);
    const child = start(t, "half-create", file);
    assert.equal(await child.next(), "half-way");
    child.kill();
    await child.ended();
    const metadata = await openFor(t, { file });
    await metadata.repositories.ensure(repositoryName("r"));
  });
});
