import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DISTINCT_TEXTS,
  collect,
  hasCode,
  newDatabase,
  newMetadata,
  range,
  UNSTORABLE_TEXTS,
  type Subject,
} from "./subject.ts";

export function usersContract(subject: Subject): void {
  describe("users", () => {
    it("adds, finds and removes", async (t) => {
      const { users } = await newMetadata(t, subject);
      assert.equal(await users.find("ann"), undefined);
      assert.equal(await users.remove("ann"), false);
      const earliest = Date.now();
      const ann = await users.add({ name: "ann", passwordHash: "scrypt$1", admin: true });
      const bot = await users.add({ name: "bot", admin: false });
      const { id, createdAt } = ann;
      assert.deepEqual(ann, { id, name: "ann", passwordHash: "scrypt$1", admin: true, createdAt });
      assert.ok(createdAt.getTime() >= earliest && createdAt.getTime() <= Date.now());
      assert.equal("passwordHash" in bot, false);
      assert.notEqual(bot.id, ann.id);
      assert.deepEqual(await users.find("ann"), ann);
      assert.deepEqual(await users.find("bot"), bot);
      assert.equal(await users.remove("ann"), true);
      assert.equal(await users.find("ann"), undefined);
      assert.deepEqual(await users.find("bot"), bot);
    });

    it("gives a name to one user only", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open()];
      const answers = await Promise.allSettled(
        range(16, async (index) =>
          instances[index % 2]?.users.add({ name: "ann", passwordHash: `${index}`, admin: false }),
        ),
      );
      const added = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
      assert.equal(added.length, 1);
      for (const answer of answers) {
        if (answer.status === "rejected") hasCode("conflict")(answer.reason);
      }
      assert.deepEqual(await instances[0]?.users.find("ann"), added[0]);
    });

    it("compares names byte by byte, and lists them in that order", async (t) => {
      const { users } = await newMetadata(t, subject);
      assert.deepEqual(await collect(users.list()), []);
      const names = [...DISTINCT_TEXTS, ...range(600, (index) => `user ${index}`)];
      await Promise.all(names.map((name) => users.add({ name, admin: false })));
      const listed = await collect(users.list());
      assert.deepEqual(
        listed.map(({ name }) => name),
        names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
      for (const user of listed) assert.deepEqual(await users.find(user.name), user);
    });

    it("refuses names that not every database can keep, and an empty one", async (t) => {
      const { users } = await newMetadata(t, subject);
      await users.add({ name: "a\ufffd", admin: true });
      for (const name of [...UNSTORABLE_TEXTS, ""]) {
        await assert.rejects(users.add({ name, admin: false }), hasCode("invalid"), JSON.stringify(name));
        assert.equal(await users.find(name), undefined);
        assert.equal(await users.remove(name), false);
      }
    });
  });
}
