import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Upload, UploadedObject } from "../port.ts";
import { collect, hasCode, newDatabase, newMetadata, oidOf, range, repositoryName, type Subject } from "./subject.ts";

const ANY: UploadedObject = { repository: repositoryName("team/game"), oid: oidOf("a"), size: 5e12, partSize: 8e6 };

const uploadOf = (place: string, of: Partial<UploadedObject> = {}): Omit<Upload, "beganAt"> => ({
  ...ANY,
  ...of,
  place,
  name: `the store's name for ${place}`,
});

export function uploadsContract(subject: Subject): void {
  describe("uploads in parts", () => {
    it("are found by what they are of, in every instance, until they are removed", async (t) => {
      const open = await newDatabase(t, subject);
      const [one, other] = [await open(), await open()];
      assert.equal(await one.uploads.find(ANY), undefined);
      const earliest = Date.now();
      const kept = await one.uploads.keep(uploadOf("p1"));
      assert.ok(kept.beganAt.getTime() >= earliest && kept.beganAt.getTime() <= Date.now());
      assert.deepEqual(kept, { ...uploadOf("p1"), beganAt: kept.beganAt });
      assert.deepEqual(await other.uploads.find(ANY), kept);

      for (const another of [
        { repository: repositoryName("team/Game") },
        { oid: oidOf("b") },
        { size: 5e12 + 1 },
        { partSize: 8e6 + 1 },
      ]) {
        assert.equal(await other.uploads.find({ ...ANY, ...another }), undefined);
      }
      assert.equal(await other.uploads.remove("p1"), true);
      assert.equal(await one.uploads.find(ANY), undefined);
      assert.equal(await one.uploads.remove("p1"), false);
    });

    it("begun by many at once, one is kept and all get it", async (t) => {
      const open = await newDatabase(t, subject);
      const instances = [await open(), await open(), await open()];
      const places = range(12, (index) => `p${index}`);
      const kept = await Promise.all(
        places.map((place, index) => (instances[index % 3] ?? assert.fail()).uploads.keep(uploadOf(place))),
      );
      for (const upload of kept) assert.deepEqual(upload, kept[0]);
      assert.ok(places.includes(kept[0]?.place ?? ""));
    });

    it("of other sizes or in other parts do not get into each other's way", async (t) => {
      const { uploads } = await newMetadata(t, subject);
      const all = [uploadOf("p1"), uploadOf("p2", { size: 7 }), uploadOf("p3", { partSize: 7 })];
      for (const upload of all) assert.equal((await uploads.keep(upload)).place, upload.place);
      for (const upload of all) assert.equal((await uploads.find(upload))?.place, upload.place);
    });

    it("are listed by age, however many there are, without those that are younger", async (t) => {
      const { uploads } = await newMetadata(t, subject);
      const later = new Date(Date.now() + 60_000);
      assert.deepEqual(await collect(uploads.list({ before: later })), []);
      const made = await Promise.all(range(1100, (size) => uploads.keep(uploadOf(`p${size}`, { size }))));
      const listed = await collect(uploads.list({ before: later }));
      assert.deepEqual(listed.map(({ place }) => place).toSorted(), made.map(({ place }) => place).toSorted());
      assert.deepEqual(
        listed,
        listed.toSorted((a, b) => a.beganAt.getTime() - b.beganAt.getTime()),
      );
      const first = listed[0]?.beganAt ?? assert.fail();
      assert.deepEqual(await collect(uploads.list({ before: first })), []);
    });

    it("have sizes that are whole numbers", async (t) => {
      const { uploads } = await newMetadata(t, subject);
      for (const size of [-1, 0.5, Number.NaN, 2 ** 53]) {
        await assert.rejects(uploads.keep(uploadOf("p", { size })), hasCode("invalid"));
        await assert.rejects(uploads.keep(uploadOf("p", { partSize: size })), hasCode("invalid"));
      }
    });
  });
}
