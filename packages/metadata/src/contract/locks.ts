import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Lock } from "../port.ts";
import { lockListContract } from "./lock-list.ts";
import {
  DISTINCT_TEXTS,
  hasCode,
  newDatabase,
  newMetadata,
  range,
  repositoryName,
  UNSTORABLE_TEXTS,
  type Subject,
} from "./subject.ts";

/** What may come in a URL instead of an id. */
const GARBAGE_IDS = (id: string): readonly string[] => [
  "",
  " ",
  "0",
  "-1",
  "+1",
  `0${id}`,
  ` ${id}`,
  `${id} `,
  `${id}\n`,
  `${id}.0`,
  `${id}e0`,
  `0x${id}`,
  "1".repeat(16),
  "9".repeat(16),
  "9".repeat(19),
  "9".repeat(5000),
  "9223372036854775808",
  "١",
  "１",
  "NaN",
  "null",
  "1; delete from locks",
  "a\0b",
  "\ud800",
];

export function locksContract(subject: Subject): void {
  describe("locks", () => {
    it("makes a lock, and tells who holds it to whoever comes later", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const earliest = Date.now();
      const { created, lock } = await locks.create(id, { path: "art/a.psd", owner: "ann" });
      assert.equal(created, true);
      assert.deepEqual({ path: lock.path, owner: lock.owner }, { path: "art/a.psd", owner: "ann" });
      assert.match(lock.id, /^[0-9]+$/);
      assert.ok(lock.lockedAt.getTime() >= earliest && lock.lockedAt.getTime() <= Date.now());
      assert.deepEqual(await locks.create(id, { path: "art/a.psd", owner: "bob" }), { created: false, lock });
      assert.deepEqual(await locks.create(id, { path: "art/a.psd", owner: "ann" }), { created: false, lock });
      assert.deepEqual(await locks.find(id, lock.id), lock);
    });

    it("gives a path to exactly one of many who want it at once", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open()];
      const { id } = (await instances[0]?.repositories.ensure(repositoryName("r"))) ?? assert.fail();
      for (const path of ["a", "b", "c"]) {
        const answers = await Promise.all(
          range(16, (index) => {
            const { locks } = instances[index % 2] ?? assert.fail();
            return locks.create(id, { path, owner: `owner ${index}` });
          }),
        );
        const winner = answers.find(({ created }) => created);
        assert.equal(answers.filter(({ created }) => created).length, 1);
        for (const { lock } of answers) assert.deepEqual(lock, winner?.lock);
      }
    });

    it("always has an answer while a path is locked and unlocked over and over", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open()];
      const { id } = (await instances[0]?.repositories.ensure(repositoryName("r"))) ?? assert.fail();
      const made = new Map<string, number>();
      const removed = new Map<string, number>();
      const count = (of: Map<string, number>, lock: Lock): void => {
        of.set(lock.id, (of.get(lock.id) ?? 0) + 1);
      };
      await Promise.all(
        range(8, async (worker) => {
          const { locks } = instances[worker % 2] ?? assert.fail();
          for (let round = 0; round < 10; round++) {
            const { created, lock } = await locks.create(id, { path: "wanted", owner: `owner ${worker}` });
            if (created) count(made, lock);
            const gone = await locks.remove(id, lock.id);
            if (gone !== undefined) count(removed, gone);
          }
        }),
      );
      assert.deepEqual(removed, made, "each lock is made once and removed once");
      assert.deepEqual(
        [...made.values()].filter((times) => times !== 1),
        [],
      );
    });

    it("compares paths and owners byte by byte", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      for (const text of DISTINCT_TEXTS) {
        const { created, lock } = await locks.create(id, { path: text, owner: text });
        assert.equal(created, true, JSON.stringify(text));
        assert.deepEqual([lock.path, lock.owner], [text, text]);
      }
      for (const text of DISTINCT_TEXTS) {
        for (const query of [{ path: text }, { owner: text }]) {
          const page = await locks.list(id, { ...query, limit: 10 });
          assert.deepEqual(
            page.locks.map(({ path, owner }) => [path, owner]),
            [[text, text]],
          );
        }
      }
    });

    it("refuses texts that not every database can keep", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const { lock } = await locks.create(id, { path: "a\ufffd", owner: "a\ufffd" });
      for (const text of UNSTORABLE_TEXTS) {
        await assert.rejects(locks.create(id, { path: text, owner: "ann" }), hasCode("invalid"));
        await assert.rejects(locks.create(id, { path: "b", owner: text }), hasCode("invalid"));
        assert.deepEqual(await locks.list(id, { path: text, limit: 1 }), { locks: [] });
        assert.deepEqual(await locks.list(id, { owner: text, limit: 1 }), { locks: [] });
        assert.equal(await locks.remove(id, lock.id, { owner: text }), undefined);
      }
      assert.deepEqual((await locks.list(id, { limit: 10 })).locks, [lock]);
    });

    it("refuses a lock in a repository that is not there", async (t) => {
      const { locks } = await newMetadata(t, subject);
      await assert.rejects(locks.create(1000, { path: "a", owner: "ann" }), hasCode("not-found"));
    });

    it("keeps repositories apart, even for one who knows an id", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const ours = await repositories.ensure(repositoryName("ours"));
      const theirs = await repositories.ensure(repositoryName("theirs"));
      const { lock } = await locks.create(ours.id, { path: "a", owner: "ann" });
      assert.equal((await locks.create(theirs.id, { path: "a", owner: "bob" })).created, true);
      assert.equal(await locks.find(theirs.id, lock.id), undefined);
      assert.equal(await locks.remove(theirs.id, lock.id), undefined);
      assert.equal(await locks.remove(theirs.id, lock.id, { owner: "ann" }), undefined);
      assert.deepEqual(await locks.list(theirs.id, { id: lock.id, limit: 1 }), { locks: [] });
      assert.deepEqual(await locks.find(ours.id, lock.id), lock);
    });

    it("finds nothing for any text that is not an id", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const { lock } = await locks.create(id, { path: "a", owner: "ann" });
      for (const garbage of GARBAGE_IDS(lock.id)) {
        const shown = JSON.stringify(garbage.slice(0, 40));
        assert.equal(await locks.find(id, garbage), undefined, shown);
        assert.equal(await locks.remove(id, garbage), undefined, shown);
        assert.deepEqual(await locks.list(id, { id: garbage, limit: 1 }), { locks: [] }, shown);
      }
      assert.deepEqual(await locks.find(id, lock.id), lock);
    });

    it("removes a lock once, and only for its owner when one is named", async (t) => {
      const open = await newDatabase(t, subject);
      const [one, other] = [await open(), await open()];
      const { id } = await one.repositories.ensure(repositoryName("r"));
      const { lock } = await one.locks.create(id, { path: "a", owner: "ann" });
      assert.equal(await one.locks.remove(id, lock.id, { owner: "bob" }), undefined);
      assert.equal(await one.locks.remove(id, lock.id, { owner: "Ann" }), undefined);
      const answers = await Promise.all(
        range(16, (index) => (index % 2 === 0 ? one : other).locks.remove(id, lock.id, { owner: "ann" })),
      );
      assert.deepEqual(
        answers.filter((answer) => answer !== undefined),
        [lock],
      );
      assert.equal(await one.locks.find(id, lock.id), undefined);
      assert.equal(await one.locks.remove(id, lock.id), undefined);
      assert.equal((await one.locks.create(id, { path: "a", owner: "bob" })).created, true);
    });

    it("never uses an id again", async (t) => {
      const open = await newDatabase(t, subject);
      const before = await open();
      const { id } = await before.repositories.ensure(repositoryName("r"));
      const { lock: first } = await before.locks.create(id, { path: "a", owner: "ann" });
      await before.locks.remove(id, first.id);
      await before.close();
      const after = await open();
      const { lock: second } = await after.locks.create(id, { path: "a", owner: "ann" });
      assert.ok(BigInt(second.id) > BigInt(first.id), `${second.id} comes after ${first.id}`);
    });

    lockListContract(subject);
  });
}
