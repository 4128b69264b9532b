import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MemoryStore, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import { Author, kept, manifestOf } from "../test/author.ts";
import { pointingHead } from "./admin.ts";
import { diagnose, repair } from "./doctor.ts";
import { fsck } from "./fsck.ts";
import { indexKey, packKey, VIEW_KEYS } from "./keys.ts";
import { compact, GRACE, type Kept } from "./maintenance.ts";
import { applyRestore, planRestore } from "./restore.ts";

async function pushed(
  t: TestContext,
  format: "sha1" | "sha256" = "sha1",
): Promise<{ author: Author; repository: Kept; names: readonly string[] }> {
  const [author, repository] = [await Author.create(t, format), kept(new MemoryStore())];
  const first = author.commit();
  await author.push(repository, { "refs/heads/main": first, "refs/tags/v1": author.tag(first.oid) });
  await author.push(repository, { "refs/heads/main": author.commit(first.oid) });
  const names = (await manifestOf(repository)).packs.map(({ name }) => name);
  return { author, repository, names };
}

async function overwrite(store: ObjectStore, key: ObjectKey, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = change(Buffer.concat(await Array.fromAsync((await store.get(key)).body)));
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  await store.put(key, body(), { size: bytes.length });
}

for (const format of ["sha1", "sha256"] as const) {
  test(`${format}: a repository that is whole has no problems, by its packs and by all its bytes`, async (t) => {
    const { repository } = await pushed(t, format);
    const { generation, packs } = await manifestOf(repository);
    const bytes = packs.reduce((sum, { size }) => sum + size, 0);
    for (const full of [false, true]) {
      assert.deepEqual(await fsck(repository, { full }), { generation, packs: 2, bytes, problems: [] });
    }
    assert.deepEqual(await diagnose(repository), []);
  });
}

test("packs and indexes that are gone or have another size are named", async (t) => {
  const { repository, names } = await pushed(t);
  const [one = "", two = ""] = names;
  await repository.store.delete(packKey(one));
  await overwrite(repository.store, indexKey(two), (bytes) => bytes.subarray(1));
  const { problems } = await fsck(repository);
  assert.equal(problems.length, 2);
  assert.equal(problems[0], `${one}.pack is not in the store`);
  assert.match(problems[1] ?? "", new RegExp(`^${two}\\.idx has \\d+ bytes, not \\d+$`));
  const found = await diagnose(repository);
  assert.deepEqual(
    found.map(({ kind, repair }) => [kind, repair]),
    [
      ["missing-packs", undefined],
      ["missing-packs", undefined],
    ],
  );
});

test("in full, bytes that changed are found, and the generation that has none of them, which can be had", async (t) => {
  const { repository, names } = await pushed(t);
  const last = names.at(-1) ?? assert.fail();
  await overwrite(repository.store, packKey(last), (bytes) => {
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    return bytes;
  });
  assert.deepEqual((await fsck(repository)).problems, []);
  const { problems, whole } = await fsck(repository, { full: true });
  assert.match(problems[0] ?? "", new RegExp(`^the pack ${last} in the store is damaged`));
  assert.ok(
    problems.some((line) => /invalid sha1 pointer|missing|refs\/heads\/main/.test(line)),
    problems.join("\n"),
  );
  assert.equal(whole, 1);
  await applyRestore(repository, await planRestore(repository, 1, { anew: true }));
  assert.deepEqual((await fsck(repository, { full: true })).problems, []);
});

test("in full, what retired packs still have counts as there", async (t) => {
  const { author, repository } = await pushed(t);
  await author.push(repository, { "refs/heads/other": author.commit() });
  const merged = await compact(repository, (await repository.git.read()) ?? assert.fail());
  for (const { name } of merged?.manifest.packs ?? []) await repository.store.delete(packKey(name));
  const { whole } = await fsck(repository, { full: true });
  assert.equal(whole, merged?.manifest.generation);
});

test("in full, objects that no pack has are found, and tags that come to something else than is said", async (t) => {
  const { author, repository } = await pushed(t);
  const now = (await repository.git.read()) ?? assert.fail();
  const absent = { oid: author.commit().oid };
  const wrong = { ...now.manifest.refs.get("refs/tags/v1"), peeled: absent.oid };
  const commit = async (ref: string, value: { oid: string; peeled?: string }): Promise<void> => {
    await repository.git.commit(
      {
        log: { what: "push" },
        make: (then = assert.fail()) => ({
          next: { ...then, refs: new Map(then.refs).set(ref, value) },
          updates: [{ ref, ...(then.refs.has(ref) ? { from: then.refs.get(ref)?.oid ?? "" } : {}), to: value.oid }],
        }),
      },
      await repository.git.read(),
    );
  };
  await commit("refs/tags/v1", { oid: wrong.oid ?? "", peeled: wrong.peeled });
  assert.match(
    (await fsck(repository, { full: true })).problems.join(),
    /refs\/tags\/v1 comes to [0-9a-f]+, not to what/,
  );
  await commit("refs/heads/absent", absent);
  const { problems, whole } = await fsck(repository, { full: true });
  assert.match(problems.join("\n"), /refs\/heads\/absent: invalid sha1 pointer/);
  assert.equal(whole, now.manifest.generation + 1);
});

test("what crashes left is found and mended, and then nothing is wrong", async (t) => {
  const { author, repository, names } = await pushed(t);
  const now = new Date(Date.now() + GRACE + 2 * 24 * 3_600_000);
  await author.push(repository, { "refs/heads/gone": author.commit() });
  await author.push(repository, { "refs/heads/gone": undefined });
  const [, , dropped = "", ...rest] = (await manifestOf(repository)).packs.map(({ name }) => name);
  assert.deepEqual(rest, []);
  const manifest = (deleting: readonly string[]): Promise<unknown> =>
    repository.git.read().then((read) =>
      repository.git.commit(
        {
          log: { what: "compact" },
          make: (then = assert.fail()) => ({
            next: { ...then, packs: then.packs.filter(({ name }) => name !== dropped), deleting },
            updates: [],
          }),
        },
        read,
      ),
    );
  await manifest([]);
  await repository.store.delete(VIEW_KEYS.head);
  assert.deepEqual(
    (await diagnose(repository)).map(({ kind }) => kind),
    ["stale-views"],
    "it may still be named",
  );
  const findings = await diagnose(repository, { now });
  assert.deepEqual(
    findings.map(({ kind, text }) => [kind, text.replace(/\d+ bytes/, "N bytes")]),
    [
      ["unnamed-packs", "1 packs of N bytes are named by nobody, for longer than anybody pushes"],
      ["stale-views", "what plain tools read is out of date: HEAD"],
    ],
  );
  await repair(repository, findings, { now });
  assert.deepEqual(await diagnose(repository, { now }), []);
  assert.deepEqual((await fsck(repository, { full: true })).problems, []);
  await manifest([`pack-${"a".repeat(40)}`]);
  const leftover = await diagnose(repository);
  assert.deepEqual(
    leftover.map(({ kind }) => kind),
    ["leftover-deletions"],
  );
  await repair(repository, leftover);
  assert.deepEqual(await diagnose(repository), []);
  assert.deepEqual(
    (await manifestOf(repository)).packs.map(({ name }) => name),
    names,
  );
});

test("a head that is gone is for a person to mend", async (t) => {
  const { author, repository } = await pushed(t);
  await author.push(repository, { "refs/heads/main": undefined, "refs/heads/next": author.commit() });
  const [finding, ...others] = await diagnose(repository);
  assert.deepEqual([finding?.kind, finding?.repair, others], ["dangling-head", undefined, []]);
  await repository.git.commit(pointingHead("refs/heads/next", undefined), await repository.git.read());
  assert.deepEqual(await diagnose(repository), []);
});

test("where there is no repository, that is said", async () => {
  const nothing = kept(new MemoryStore());
  for (const look of [fsck, diagnose]) await assert.rejects(look(nothing), { code: "refused" });
});
