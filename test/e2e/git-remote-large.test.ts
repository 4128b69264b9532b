import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type S3Service, startS3 } from "../support/cloud-stores.ts";
import { seededBytes } from "../support/content.ts";
import { bytesOf, inWords, Line } from "../support/git-remote/line.ts";
import { Person } from "../support/git-remote/person.ts";

const MIB = 1024 ** 2;
const REFS = 10_000;

let server: S3Service;
before(async () => {
  server = await startS3();
});
after(async () => {
  await server[Symbol.asyncDispose]();
});

test("ten thousand branches come, move and are cloned, each time with one manifest of less than 1 MiB", async (t) => {
  const line = await Line.to(t, server);
  const ada = await Person.create(t, line);
  await ada.init("work", line);
  const [one, two] = [await ada.commit("work", "one"), await ada.commit("work", "two")];
  const refs = Array.from({ length: REFS }, (_, at) => `refs/heads/area-${at % 100}/topic-${at}`);
  const all = ["push", "--quiet", line.url, "refs/heads/*:refs/heads/*"];
  const timed = async (what: string, work: () => Promise<unknown>): Promise<ReturnType<typeof inWords>> => {
    const begun = Date.now();
    const asked = await line.during(work);
    t.diagnostic(`${what}: ${Date.now() - begun} ms`);
    const manifests = asked.filter(({ key }) => key === "holdall/manifest.json");
    for (const manifest of manifests) assert.ok(bytesOf([manifest], "uploaded") <= MIB);
    return inWords(asked);
  };

  // As `git pack-refs` leaves them: quicker than as many files.
  const point = async (oid: string): Promise<void> =>
    await ada.write(
      "work",
      ".git/packed-refs",
      refs
        .toSorted()
        .map((ref) => `${oid} ${ref}\n`)
        .join(""),
    );
  await point(one);
  const first = await timed("ten thousand new branches", () => ada.git("work", ...all));
  assert.equal(first.filter((word) => word === "PUT manifest").length, 1);
  // That of a repository which comes into being writes all that plain tools read.
  assert.ok(first.length <= 12, first.join());
  await point(two);
  const moved = await timed("ten thousand branches moved", () => ada.git("work", ...all));
  assert.deepEqual(moved, ["GET manifest", "PUT log", "PUT manifest", "PUT packed-refs", "PUT info/refs"]);
  const created = await timed("one more", () =>
    ada.git("work", "push", "--quiet", line.url, "main:refs/heads/one-more"),
  );
  assert.deepEqual(created, ["GET manifest", "PUT manifest", "PUT packed-refs", "PUT info/refs"]);
  const cloned = await timed("a clone", () => ada.clone("copy", line, "--bare"));
  assert.equal(cloned.length, 3);
  assert.equal((await ada.git("copy", "for-each-ref", "refs/heads/area-99")).split("\n").length, REFS / 100);
  assert.deepEqual(await timed("nothing new", () => ada.git("copy", "fetch", "--quiet", line.url)), ["GET manifest"]);
});

test("what happens is drawn for those who watch, told to those who ask, and else there is silence", async (t) => {
  const line = await Line.to(t, server);
  const ada = await Person.create(t, line);
  await ada.init("work", line);
  await ada.commit("work", "large", seededBytes(1, 3 * MIB));
  const push = await ada.tryGit("work", "push", "--progress", "origin", "main");
  assert.match(push.stderr, /Counting objects: .*Sending the pack: 100% \(3\.00 MiB of 3\.00 MiB\), done\.\n/s);
  const clone = await ada.tryGit(".", "clone", "--progress", line.url, "copy");
  assert.match(clone.stderr, /Receiving packs: 100% \(3\.00 MiB of 3\.00 MiB\), done\.\n/);
  await ada.commit("work", "two");
  const told = await ada.tryGit("work", "push", "-v", "-v", "origin", "main");
  assert.match(told.stderr, /^holdall: get holdall\/manifest\.json: \d+ ms$/m);
  assert.match(told.stderr, /^holdall: put objects\/pack\/pack-[0-9a-f]{40}\.pack \(\d+ bytes\): \d+ ms$/m);
  await ada.commit("work", "three");
  assert.equal((await ada.tryGit("work", "push", "--quiet", "origin", "main")).stderr, "");
  assert.equal((await ada.tryGit("copy", "pull", "--quiet")).stderr, "");
  await ada.commit("work", "four");
  const plain = await ada.tryGit("work", "push", "origin", "main");
  assert.match(plain.stderr, /^To s3:\/\/\S+\n +[0-9a-f]+\.\.[0-9a-f]+ +main -> main\n$/);
  assert.doesNotMatch((await ada.tryGit("copy", "fetch")).stderr, /^holdall:|Receiving/m);
});
