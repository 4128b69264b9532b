import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Lock, LockQuery, Locks } from "../port.ts";
import { hasCode, newMetadata, range, repositoryName, type Subject } from "./subject.ts";

export function lockListContract(subject: Subject): void {
  describe("their list", () => {
    it("is empty for a repository without locks", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      assert.deepEqual(await locks.list(id, { limit: 10 }), { locks: [] });
      assert.deepEqual(await locks.list(id + 1000, { limit: 10 }), { locks: [] });
    });

    it("has the newest first, in pages, and a cursor only when there is more", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const made = await createLocks(locks, id, 6);
      const newestFirst = made.toReversed();
      assert.deepEqual(await locks.list(id, { limit: 6 }), { locks: newestFirst });
      assert.deepEqual(await locks.list(id, { limit: 1_000_000 }), { locks: newestFirst });
      const first = await locks.list(id, { limit: 4 });
      assert.deepEqual(first.locks, newestFirst.slice(0, 4));
      assert.ok(first.nextCursor !== undefined);
      assert.deepEqual(await locks.list(id, { limit: 4, cursor: first.nextCursor }), { locks: newestFirst.slice(4) });
    });

    it("can be asked for a path, an owner, an id, and all of them", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const [a, b, c] = [
        (await locks.create(id, { path: "a", owner: "ann" })).lock,
        (await locks.create(id, { path: "b", owner: "bob" })).lock,
        (await locks.create(id, { path: "c", owner: "ann" })).lock,
      ];
      const list = async (query: Partial<LockQuery>): Promise<readonly Lock[]> =>
        (await locks.list(id, { limit: 10, ...query })).locks;
      assert.deepEqual(await list({ path: "b" }), [b]);
      assert.deepEqual(await list({ owner: "ann" }), [c, a]);
      assert.deepEqual(await list({ id: a.id }), [a]);
      assert.deepEqual(await list({ id: a.id, path: "a", owner: "ann" }), [a]);
      assert.deepEqual(await list({ id: a.id, path: "b" }), []);
      assert.deepEqual(await list({ path: "b", owner: "ann" }), []);
      assert.deepEqual(await list({ path: "" }), []);
      const page = await locks.list(id, { owner: "ann", limit: 1 });
      assert.deepEqual(page.locks, [c]);
      assert.ok(page.nextCursor !== undefined);
      assert.deepEqual(await locks.list(id, { owner: "ann", limit: 1, cursor: page.nextCursor }), { locks: [a] });
    });

    it("refuses a cursor that it never gave, and a limit below 1", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      await createLocks(locks, id, 2);
      for (const cursor of ["", "0", "-1", "01", "1 ", "abc", "1e3", "9".repeat(30), "٣", "\ud800"]) {
        await assert.rejects(locks.list(id, { limit: 1, cursor }), hasCode("invalid"), JSON.stringify(cursor));
      }
      for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await assert.rejects(locks.list(id, { limit }), hasCode("invalid"), String(limit));
      }
    });

    it("shows every lock that stays exactly once, whatever comes and goes between pages", async (t) => {
      const { repositories, locks } = await newMetadata(t, subject);
      let run = 0;
      const step = fc.record({ add: fc.nat({ max: 2 }), remove: fc.array(fc.nat({ max: 30 }), { maxLength: 3 }) });
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: 12 }),
          fc.integer({ min: 1, max: 4 }),
          fc.array(step, { maxLength: 12 }),
          async (count, limit, steps) => {
            run += 1;
            const { id } = await repositories.ensure(repositoryName(`run-${run}`));
            const atStart = await createLocks(locks, id, count);
            const present = new Map(atStart.map((lock) => [lock.id, lock]));
            const everRemoved = new Set<string>();
            const seen: Lock[] = [];
            let cursor: string | undefined;
            for (let page = 0; ; page++) {
              const answer = await locks.list(id, { limit, ...(cursor === undefined ? {} : { cursor }) });
              assert.ok(answer.locks.length <= limit);
              for (const lock of answer.locks) assert.deepEqual(lock, present.get(lock.id), "a lock that is there");
              seen.push(...answer.locks);
              if (answer.nextCursor === undefined) break;
              assert.ok(page <= count, "the list ends");
              cursor = answer.nextCursor;
              const { add, remove } = steps[page] ?? { add: 0, remove: [] };
              for (const made of await createLocks(locks, id, add, `page ${page}`)) present.set(made.id, made);
              for (const index of remove) {
                const lock = [...present.values()][index];
                if (lock === undefined) continue;
                await locks.remove(id, lock.id);
                present.delete(lock.id);
                everRemoved.add(lock.id);
              }
            }
            const ids = seen.map((lock) => Number(lock.id));
            assert.deepEqual(
              ids,
              ids.toSorted((a, b) => b - a),
              "newest first",
            );
            assert.equal(new Set(ids).size, ids.length, "no lock twice");
            const stayed = atStart.filter((lock) => !everRemoved.has(lock.id)).toReversed();
            assert.deepEqual(
              seen.filter((lock) => !everRemoved.has(lock.id)),
              stayed,
              "every lock that stayed, and none that came later",
            );
          },
        ),
        { seed: 1, numRuns: 60 },
      );
    });
  });
}

async function createLocks(locks: Locks, repositoryId: number, count: number, prefix = "at start"): Promise<Lock[]> {
  const made: Lock[] = [];
  for (const path of range(count, (index) => `${prefix} ${index}`)) {
    made.push((await locks.create(repositoryId, { path, owner: "ann" })).lock);
  }
  return made;
}
