import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { Token, Tokens } from "../port.ts";
import { collect, hasCode, newDatabase, newMetadata, range, UNSTORABLE_TEXTS, type Subject } from "./subject.ts";

export function tokensContract(subject: Subject): void {
  describe("tokens", () => {
    it("adds, finds by hash and removes", async (t) => {
      const { users, tokens } = await newMetadata(t, subject);
      const user = await users.add({ name: "ann", passwordHash: "hash", admin: true });
      const earliest = Date.now();
      const expiresAt = new Date("2001-02-03T04:05:06.789Z");
      const token = await tokens.add({
        id: "t1",
        hash: hashOf("secret"),
        user: "ann",
        right: "read",
        repositories: ["team/*", 'odd "name"', "é"],
        note: "CI",
        expiresAt,
      });
      const { createdAt } = token;
      assert.deepEqual(token, {
        id: "t1",
        user,
        right: "read",
        repositories: ["team/*", 'odd "name"', "é"],
        note: "CI",
        createdAt,
        expiresAt,
      });
      assert.ok(createdAt.getTime() >= earliest && createdAt.getTime() <= Date.now());
      assert.deepEqual(await tokens.findByHash(hashOf("secret")), token, "also when it has expired");
      assert.equal(await tokens.findByHash(hashOf("Secret")), undefined);
      assert.equal(await tokens.findByHash(new Uint8Array()), undefined);
      assert.equal(await tokens.remove("T1"), false);
      assert.equal(await tokens.remove("t1"), true);
      assert.equal(await tokens.remove("t1"), false);
      assert.equal(await tokens.findByHash(hashOf("secret")), undefined);
    });

    it("leaves out what was not given", async (t) => {
      const { users, tokens } = await newMetadata(t, subject);
      await users.add({ name: "ann", admin: false });
      await add(tokens, "t1", "ann");
      const token = await tokens.findByHash(hashOf("t1"));
      assert.ok(token !== undefined);
      assert.deepEqual(Object.keys(token).toSorted(), ["createdAt", "id", "repositories", "right", "user"]);
      assert.equal("passwordHash" in token.user, false);
    });

    it("keeps each right", async (t) => {
      const { users, tokens } = await newMetadata(t, subject);
      await users.add({ name: "ann", admin: false });
      for (const right of ["read", "write", "admin"] as const) {
        await tokens.add({ id: right, hash: hashOf(right), user: "ann", right, repositories: ["*"] });
        assert.equal((await tokens.findByHash(hashOf(right)))?.right, right);
      }
    });

    it("refuses a token of nobody, of a known id or secret, or that says nothing", async (t) => {
      const { users, tokens } = await newMetadata(t, subject);
      await assert.rejects(add(tokens, "t1", "ann"), hasCode("not-found"));
      await users.add({ name: "ann", admin: false });
      await add(tokens, "t1", "ann");
      const good = { id: "t2", hash: hashOf("t2"), user: "ann", right: "read", repositories: ["*"] } as const;
      await assert.rejects(tokens.add({ ...good, id: "t1" }), hasCode("conflict"));
      await assert.rejects(tokens.add({ ...good, hash: hashOf("t1") }), hasCode("conflict"));
      await assert.rejects(tokens.add({ ...good, repositories: [] }), hasCode("invalid"));
      await assert.rejects(tokens.add({ ...good, hash: new Uint8Array(31) }), hasCode("invalid"));
      await assert.rejects(tokens.add({ ...good, expiresAt: new Date("soon") }), hasCode("invalid"));
      for (const text of UNSTORABLE_TEXTS) {
        await assert.rejects(tokens.add({ ...good, id: text }), hasCode("invalid"));
        await assert.rejects(tokens.add({ ...good, note: text }), hasCode("invalid"));
        await assert.rejects(tokens.add({ ...good, repositories: [text] }), hasCode("invalid"));
        await assert.rejects(tokens.add({ ...good, user: text }), hasCode("not-found"));
        assert.equal(await tokens.remove(text), false);
      }
      assert.equal((await collect(tokens.list())).length, 1);
    });

    it("lists the newest first, all or one user's, however many there are", async (t) => {
      const { users, tokens } = await newMetadata(t, subject);
      await users.add({ name: "ann", admin: false });
      await users.add({ name: "bob", admin: true });
      const ids = async (o?: { user?: string }): Promise<string[]> =>
        (await collect(tokens.list(o))).map(({ id }) => id);
      const crowd = range(1100, (index) => `crowd ${index}`);
      await Promise.all(crowd.map((id) => add(tokens, id, "ann")));
      for (const [id, user] of [
        ["1", "bob"],
        ["2", "ann"],
        ["3", "bob"],
        ["4", "ann"],
      ] as const) {
        await add(tokens, id, user);
      }
      const all = await ids();
      assert.deepEqual(all.slice(0, 4), ["4", "3", "2", "1"]);
      assert.deepEqual(all.slice(4).toSorted(), crowd.toSorted());
      assert.deepEqual(await ids({ user: "bob" }), ["3", "1"]);
      assert.deepEqual(
        await ids({ user: "ann" }),
        all.filter((id) => id !== "3" && id !== "1"),
      );
      assert.deepEqual(await ids({ user: "eve" }), []);
      assert.deepEqual(await ids({ user: "a\ud800" }), []);
    });

    it("go with their user, also from another instance, and do not come back with a new one", async (t) => {
      const open = await newDatabase(t, subject);
      const [one, other] = [await open(), await open()];
      await one.users.add({ name: "ann", admin: false });
      await one.users.add({ name: "bob", admin: false });
      await add(one.tokens, "a1", "ann");
      await add(one.tokens, "a2", "ann");
      const kept = await add(one.tokens, "b1", "bob");
      assert.equal(await other.users.remove("ann"), true);
      assert.equal(await one.tokens.findByHash(hashOf("a1")), undefined);
      assert.deepEqual(await collect(one.tokens.list()), [kept]);
      await one.users.add({ name: "ann", admin: true });
      assert.equal(await one.tokens.findByHash(hashOf("a2")), undefined);
      assert.deepEqual(await collect(one.tokens.list({ user: "ann" })), []);
      assert.equal(await one.tokens.remove("a1"), false);
    });
  });
}

function hashOf(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

/** Adds a token whose secret is its id. */
function add(tokens: Tokens, id: string, user: string): Promise<Token> {
  return tokens.add({ id, hash: hashOf(id), user, right: "read", repositories: ["*"] });
}
