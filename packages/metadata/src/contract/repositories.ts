import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { collect, newDatabase, newMetadata, oidOf, range, repositoryName, type Subject } from "./subject.ts";

export function repositoriesContract(subject: Subject): void {
  describe("repositories", () => {
    it("finds only what was made, and makes each name once", async (t) => {
      const { repositories } = await newMetadata(t, subject);
      const name = repositoryName("team/game");
      assert.equal(await repositories.find(name), undefined);
      const earliest = Date.now();
      const made = await repositories.ensure(name);
      assert.equal(made.name, name);
      assert.ok(made.createdAt.getTime() >= earliest && made.createdAt.getTime() <= Date.now());
      assert.deepEqual(await repositories.ensure(name), made);
      assert.deepEqual(await repositories.find(name), made);
      assert.equal(await repositories.find(repositoryName("team/Game")), undefined);
      assert.equal(await repositories.find(repositoryName("team")), undefined);
    });

    it("gives everyone who makes one name at once the same repository", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open(), await open()];
      const name = repositoryName("wanted/by-all");
      const made = await Promise.all(
        range(8, () => instances.map((metadata) => metadata.repositories.ensure(name))).flat(),
      );
      for (const repository of made) assert.deepEqual(repository, made[0]);
      const listed = await collect(instances[0]?.repositories.list() ?? assert.fail());
      assert.deepEqual(listed, [made[0]]);
    });

    it("lists all, ordered by the bytes of their names, however many there are", async (t) => {
      const { repositories } = await newMetadata(t, subject);
      assert.deepEqual(await collect(repositories.list()), []);
      const odd = ["Z", "a", "a/b", "a-b", "a.b", "é", "\uffee", "\u{1f600}", "zz"];
      const names = [...odd, ...range(1100, (index) => `many/${index}`)].map(repositoryName);
      await Promise.all(names.map((name) => repositories.ensure(name)));
      const listed = (await collect(repositories.list())).map(({ name }) => name);
      assert.deepEqual(
        listed,
        names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
    });

    it("sums up what a repository uses", async (t) => {
      const { repositories, objects, locks } = await newMetadata(t, subject);
      const game = await repositories.ensure(repositoryName("game"));
      const fork = await repositories.ensure(repositoryName("fork"));
      assert.deepEqual(await repositories.usage(game.name), { ...game, objects: 0, bytes: 0, locks: 0 });

      await objects.link(game.id, { oid: oidOf("a"), size: 5_000_000_000 });
      await objects.link(game.id, { oid: oidOf("b"), size: 7 });
      await objects.link(game.id, { oid: oidOf("b"), size: 7 });
      await objects.link(fork.id, { oid: oidOf("b"), size: 7 });
      await locks.create(game.id, { path: "a", owner: "ann" });
      await locks.create(game.id, { path: "b", owner: "bob" });
      assert.deepEqual(await repositories.usage(game.name), { ...game, objects: 2, bytes: 5_000_000_007, locks: 2 });
      assert.deepEqual(await repositories.usage(fork.name), { ...fork, objects: 1, bytes: 7, locks: 0 });
      assert.equal(await repositories.usage(repositoryName("unknown")), undefined);
    });
  });
}
