import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  hasCode,
  linkedSizes,
  newDatabase,
  newMetadata,
  oidOf,
  range,
  repositoryName,
  type Subject,
} from "./subject.ts";

export function lifeContract(subject: Subject): void {
  describe("opening and closing", () => {
    it("keeps everything across close and open", async (t) => {
      const open = await newDatabase(t, subject);
      const before = await open();
      const repository = await before.repositories.ensure(repositoryName("team/game"));
      await before.objects.link(repository.id, { oid: oidOf("one"), size: 3 });
      const { lock } = await before.locks.create(repository.id, { path: "a.psd", owner: "ann" });
      const user = await before.users.add({ name: "ann", passwordHash: "hash", admin: true });
      const hash = new Uint8Array(32).fill(7);
      const token = await before.tokens.add({
        id: "t1",
        hash,
        user: "ann",
        right: "write",
        repositories: ["team/*"],
        note: "laptop",
        expiresAt: new Date("2030-01-02T03:04:05.678Z"),
      });
      await before.close();

      const after = await open();
      assert.deepEqual(await after.repositories.find(repository.name), repository);
      assert.deepEqual([...(await linkedSizes(after.objects, repository.id, [oidOf("one")]))], [[oidOf("one"), 3]]);
      assert.deepEqual(await after.locks.find(repository.id, lock.id), lock);
      assert.deepEqual(await after.users.find("ann"), user);
      assert.deepEqual(await after.tokens.findByHash(hash), token);
    });

    it("shows a write to every other instance as soon as it is acknowledged", async (t) => {
      const open = await newDatabase(t, subject);
      const [one, other] = [await open(), await open()];
      for (const name of range(20, (index) => repositoryName(`r${index}`))) {
        assert.equal(await other.repositories.find(name), undefined);
        const made = await one.repositories.ensure(name);
        assert.deepEqual(await other.repositories.find(name), made);
        assert.deepEqual(await one.repositories.find(name), made);
      }
    });

    it("opens one new database from many at once", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = await Promise.all(range(6, open));
      const names = range(6, (index) => repositoryName(`r${index}`));
      const made = await Promise.all(
        instances.map((metadata, index) => metadata.repositories.ensure(names[index] ?? repositoryName("none"))),
      );
      assert.equal(new Set(made.map(({ id }) => id)).size, 6);
    });

    it("finishes the writes that have begun before it closes", async (t) => {
      const open = await newDatabase(t, subject);
      const before = await open();
      const repository = await before.repositories.ensure(repositoryName("r"));
      const oids = range(200, (index) => oidOf(`object ${index}`));
      const links = oids.map((oid, size) => before.objects.link(repository.id, { oid, size }));
      await before.close();
      await Promise.all(links);
      const after = await open();
      assert.equal((await after.objects.linked(repository.id, oids)).size, 200);
    });

    it("closes twice, and refuses everything afterwards", async (t) => {
      const metadata = await newMetadata(t, subject);
      const repository = await metadata.repositories.ensure(repositoryName("r"));
      await Promise.all([metadata.close(), metadata.close()]);
      await metadata.close();
      await assert.rejects(metadata.ping(), hasCode("unavailable"));
      await assert.rejects(metadata.repositories.find(repository.name), hasCode("unavailable"));
      await assert.rejects(metadata.users.add({ name: "ann", admin: false }), hasCode("unavailable"));
      await assert.rejects(metadata.objects.link(repository.id, { oid: oidOf("a"), size: 1 }), hasCode("unavailable"));
    });

    it("answers a ping", async (t) => {
      const metadata = await newMetadata(t, subject);
      await metadata.ping();
    });
  });
}
