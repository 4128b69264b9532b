import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Oid } from "@holdall/lfs-protocol";
import fc from "fast-check";
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

export function objectsContract(subject: Subject): void {
  describe("objects", () => {
    it("shows an object only in the repositories that it is linked into", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const [ours, theirs] = [
        await repositories.ensure(repositoryName("ours")),
        await repositories.ensure(repositoryName("theirs")),
      ];
      await objects.link(ours.id, { oid: oidOf("a"), size: 4 });
      assert.deepEqual(await linkedSizes(objects, ours.id, [oidOf("a")]), new Map([[oidOf("a"), 4]]));
      assert.deepEqual(await linkedSizes(objects, theirs.id, [oidOf("a")]), new Map());
      assert.deepEqual(await linkedSizes(objects, theirs.id + 1000, [oidOf("a")]), new Map());
      await objects.link(theirs.id, { oid: oidOf("a"), size: 4 });
      assert.deepEqual(await linkedSizes(objects, theirs.id, [oidOf("a")]), new Map([[oidOf("a"), 4]]));
    });

    it("answers for any mixture of known and unknown oids, in any order, with duplicates", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const size = (index: number): number => index * 1_000_000_007;
      await Promise.all(range(50, (index) => objects.link(id, { oid: oidOf(`${index}`), size: size(index) })));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat({ max: 99 }), { maxLength: 120 }), async (asked) => {
          const linked = await linkedSizes(
            objects,
            id,
            asked.map((index) => oidOf(`${index}`)),
          );
          const expected = asked
            .filter((index) => index < 50)
            .map((index) => [oidOf(`${index}`), size(index)] as const);
          assert.deepEqual(linked, new Map(expected));
        }),
        { seed: 1, numRuns: 100 },
      );
    });

    it("takes up to 1,000 oids at once, and none", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      const oids = range(1000, (index) => oidOf(`${index}`));
      await Promise.all(oids.map((oid, size) => objects.link(id, { oid, size })));
      assert.deepEqual(await linkedSizes(objects, id, oids), new Map(oids.map((oid, size) => [oid, size])));
      assert.deepEqual(await linkedSizes(objects, id, []), new Map());
      await assert.rejects(objects.linked(id, [...oids, oidOf("one more")]), hasCode("invalid"));
    });

    it("keeps sizes exactly, from 0 to the largest", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      for (const size of [0, 1, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
        const oid = oidOf(`of ${size}`);
        await objects.link(id, { oid, size });
        assert.equal((await linkedSizes(objects, id, [oid])).get(oid), size);
      }
      for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        await assert.rejects(objects.link(id, { oid: oidOf("x"), size }), hasCode("invalid"));
      }
      assert.deepEqual(await linkedSizes(objects, id, [oidOf("x")]), new Map());
    });

    it("refuses another size for a known oid, and then links nothing", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const [one, two] = [
        await repositories.ensure(repositoryName("one")),
        await repositories.ensure(repositoryName("two")),
      ];
      await objects.link(one.id, { oid: oidOf("a"), size: 4 });
      await assert.rejects(objects.link(one.id, { oid: oidOf("a"), size: 5 }), hasCode("conflict"));
      await assert.rejects(objects.link(two.id, { oid: oidOf("a"), size: 5 }), hasCode("conflict"));
      assert.deepEqual(await linkedSizes(objects, one.id, [oidOf("a")]), new Map([[oidOf("a"), 4]]));
      assert.deepEqual(await linkedSizes(objects, two.id, [oidOf("a")]), new Map());
    });

    it("keeps nothing of a link into a repository that is not there", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      await assert.rejects(objects.link(id + 1000, { oid: oidOf("a"), size: 4 }), hasCode("not-found"));
      // Had the object been recorded, its size would be settled.
      await objects.link(id, { oid: oidOf("a"), size: 5 });
    });

    it("links one object from many sides at once", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open()];
      const made = await Promise.all(
        range(4, async (index) => instances[0]?.repositories.ensure(repositoryName(`r${index}`))),
      );
      const ids = made.flatMap((repository) => (repository === undefined ? [] : [repository.id]));
      assert.equal(ids.length, 4);
      await Promise.all(
        instances.flatMap(({ objects }) =>
          [...ids, ...ids].map((id) => objects.link(id, { oid: oidOf("wanted"), size: 9 })),
        ),
      );
      const { objects } = instances[1] ?? assert.fail();
      for (const id of ids) {
        assert.deepEqual(await linkedSizes(objects, id, [oidOf("wanted")]), new Map([[oidOf("wanted"), 9]]));
      }
    });

    it("settles on one size when several are claimed at once", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open()];
      const { id } = (await instances[0]?.repositories.ensure(repositoryName("r"))) ?? assert.fail();
      const claims = await Promise.allSettled(
        range(16, async (size) => instances[size % 2]?.objects.link(id, { oid: oidOf("a"), size })),
      );
      const won = claims.flatMap(({ status }, size) => (status === "fulfilled" ? [size] : []));
      assert.equal(won.length, 1);
      for (const claim of claims) {
        if (claim.status === "rejected") hasCode("conflict")(claim.reason);
      }
      const { objects } = instances[1] ?? assert.fail();
      assert.deepEqual([...(await linkedSizes(objects, id, [oidOf("a")]))], [[oidOf("a"), won[0]]]);
    });

    it("keeps a suspect link, says that it is one, and takes that back when the object is linked again", async (t) => {
      const open = await newDatabase(t, subject);
      const [one, other] = [await open(), await open()];
      const [ours, theirs] = [
        await one.repositories.ensure(repositoryName("ours")),
        await one.repositories.ensure(repositoryName("theirs")),
      ];
      const [lost, sound] = [oidOf("lost"), oidOf("sound")];
      for (const { id } of [ours, theirs]) {
        await one.objects.link(id, { oid: lost, size: 4 });
        await one.objects.link(id, { oid: sound, size: 5 });
      }
      const asked = [sound, lost, oidOf("never linked")];
      const suspects = async (id: number): Promise<Oid[]> => {
        assert.deepEqual(
          await linkedSizes(other.objects, id, asked),
          new Map([
            [sound, 5],
            [lost, 4],
          ]),
        );
        const linked = await other.objects.linked(id, asked);
        return [...linked].flatMap(([oid, { suspect }]) => (suspect ? [oid] : []));
      };
      assert.deepEqual(await suspects(ours.id), []);

      for (const _ of ["once", "again"]) {
        await one.objects.suspect(ours.id, lost);
        assert.deepEqual(await suspects(ours.id), [lost]);
        assert.deepEqual(await suspects(theirs.id), [], "the bytes may lie apart for each repository");
      }
      await assert.rejects(one.objects.link(ours.id, { oid: lost, size: 40 }), hasCode("conflict"));
      assert.deepEqual(await suspects(ours.id), [lost], "nobody has seen the bytes");

      await one.objects.link(ours.id, { oid: lost, size: 4 });
      assert.deepEqual(await suspects(ours.id), []);
    });

    it("has nothing to suspect where there is no link", async (t) => {
      const { repositories, objects } = await newMetadata(t, subject);
      const { id } = await repositories.ensure(repositoryName("r"));
      await objects.suspect(id, oidOf("a"));
      await objects.suspect(id + 1000, oidOf("a"));
      assert.deepEqual(await objects.linked(id, [oidOf("a")]), new Map());
      await objects.link(id, { oid: oidOf("a"), size: 1 });
      assert.deepEqual(await objects.linked(id, [oidOf("a")]), new Map([[oidOf("a"), { size: 1, suspect: false }]]));
    });
  });
}
