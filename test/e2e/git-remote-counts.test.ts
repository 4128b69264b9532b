import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { type S3Service, startS3 } from "../support/cloud-stores.ts";
import { seededBytes } from "../support/content.ts";
import { type Asked, bytesOf, inWords, Line } from "../support/git-remote/line.ts";
import { Person } from "../support/git-remote/person.ts";
import { meeting } from "../support/s3-test-server/faults.ts";

const MIB = 1024 ** 2;

let server: S3Service;
before(async () => {
  server = await startS3();
});
after(async () => {
  await server[Symbol.asyncDispose]();
});

/** A repository of 2 MiB that cannot be compressed and many files, in one pack; and somebody who has pushed it. */
async function pushed(
  t: TestContext,
  before: (asked: Asked) => Promise<void> = async () => undefined,
): Promise<{ line: Line; ada: Person }> {
  const line = await Line.to(t, server, { before });
  const ada = await Person.create(t, line);
  await ada.init("work", line);
  for (const name of ["a", "b", "c", "d"]) await ada.write("work", `files/${name}`, `${name}\n`);
  await ada.commit("work", "large", seededBytes(1, 2 * MIB));
  await ada.git("work", "push", "--quiet", "--set-upstream", "origin", "main");
  return { line, ada };
}

/** A small change, pushed. */
async function pushMore(ada: Person): Promise<void> {
  await ada.commit("work", `more-${(await ada.git("work", "rev-list", "--count", "HEAD")).trim()}`);
  await ada.git("work", "push", "--quiet");
}

const BRANCHES = Array.from({ length: 50 }, (_, index) => `main:refs/heads/topic/${index}`);

// The least that these can be done with, which is what docs/design/git-store.md promises.
describe("requests and bytes", { concurrency: true }, () => {
  test("ls-remote, and a fetch with nothing new: one", async (t) => {
    const { line, ada } = await pushed(t);
    for (const args of [["ls-remote", "origin"], ["fetch", "origin"], ["fetch"], ["push", "origin", "main"]]) {
      const asked = await line.during(() => ada.git("work", ...args));
      assert.deepEqual(inWords(asked), ["GET manifest"], args.join(" "));
      assert.ok(bytesOf(asked, "downloaded") < 1024);
    }
  });

  test("a push of one commit: seven, and what changed", async (t) => {
    const { line, ada } = await pushed(t);
    const asked = await line.during(() => pushMore(ada));
    assert.equal(inWords(asked)[0], "GET manifest");
    assert.deepEqual(inWords(asked.slice(1, 3)).toSorted(), ["PUT idx", "PUT pack"]);
    assert.equal(inWords(asked)[3], "PUT manifest");
    assert.deepEqual(inWords(asked.slice(4)).toSorted(), [
      "PUT info/refs",
      "PUT objects/info/packs",
      "PUT packed-refs",
    ]);
    assert.ok(bytesOf(asked, "uploaded") < 8192, `${bytesOf(asked, "uploaded")} bytes for a repository of 2 MiB`);
  });

  test("a push of one commit: two round trips before the one that commits, and one after it", async (t) => {
    // Each waits for the others that are to come with it: were they made one after another, they would wait for ever.
    const [together, afterwards] = [meeting(2), meeting(3)];
    const waits: Readonly<Record<string, () => Promise<unknown>>> = {
      "PUT pack": together,
      "PUT idx": together,
      "PUT packed-refs": afterwards,
      "PUT info/refs": afterwards,
      "PUT objects/info/packs": afterwards,
    };
    let isHeld = false;
    const passed: string[] = [];
    const { line, ada } = await pushed(t, async (asked) => {
      if (!isHeld) return;
      const [word = ""] = inWords([asked]);
      await waits[word]?.();
      passed.push(word);
    });
    isHeld = true;
    await pushMore(ada);
    isHeld = false;
    assert.deepEqual([passed[0], passed[3]], ["GET manifest", "PUT manifest"]);
    assert.equal(passed.length, 7);
    assert.equal((await line.during(() => ada.git("work", "fetch"))).length, 1);
  });

  for (const [what, args] of [
    ["a new branch at a commit that is there", ["main:refs/heads/new"]],
    ["fifty at once, all or none", ["--atomic", ...BRANCHES]],
  ] as const) {
    test(`${what}: four, and no pack`, async (t) => {
      const { line, ada } = await pushed(t);
      const options = args.filter((arg) => arg.startsWith("--"));
      const specs = args.filter((arg) => !arg.startsWith("--"));
      const asked = await line.during(() => ada.git("work", "push", "--quiet", ...options, "origin", ...specs));
      assert.deepEqual(inWords(asked), ["GET manifest", "PUT manifest", "PUT packed-refs", "PUT info/refs"]);
      const refs = await ada.git("work", "ls-remote", "--heads", "origin");
      assert.equal(refs.split("\n").length, 1 + specs.length);
      assert.ok(bytesOf(asked, "uploaded") < 1024 + 400 * specs.length);
    });
  }

  test("a deletion: four, and no pack", async (t) => {
    const { line, ada } = await pushed(t);
    await ada.git("work", "push", "--quiet", "origin", "main:refs/heads/gone");
    const asked = await line.during(() => ada.git("work", "push", "--quiet", "--delete", "origin", "gone"));
    assert.deepEqual(inWords(asked), ["GET manifest", "PUT manifest", "PUT packed-refs", "PUT info/refs"]);
  });

  test("what is refused, or only tried: one", async (t) => {
    const { line, ada } = await pushed(t);
    await ada.git("work", "commit", "--quiet", "--amend", "--message", "another");
    for (const args of [[], ["--force", "--dry-run"], ["--force-with-lease=main:HEAD"]]) {
      const asked = await line.during(() => ada.tryGit("work", "push", ...args, "origin", "main"));
      assert.deepEqual(inWords(asked), ["GET manifest"], args.join(" "));
    }
  });

  test("a pull of one commit: three, and what is new", async (t) => {
    const { line, ada } = await pushed(t);
    await ada.clone("copy", line);
    await pushMore(ada);
    const asked = await line.during(() => ada.git("copy", "pull", "--quiet"));
    assert.deepEqual(inWords(asked.slice(0, 1)), ["GET manifest"]);
    assert.deepEqual(inWords(asked.slice(1)).toSorted(), ["GET idx", "GET pack"]);
    assert.ok(bytesOf(asked, "downloaded") < 8192);
    assert.deepEqual(inWords(await line.during(() => ada.git("copy", "pull", "--quiet"))), ["GET manifest"]);
  });

  test("a clone with three refs: the manifest, and each pack and index once", async (t) => {
    const { line, ada } = await pushed(t);
    await ada.git("work", "tag", "-a", "-m", "First", "v1");
    await ada.git("work", "push", "--quiet", "origin", "v1", "main:refs/heads/other");
    await pushMore(ada);
    const asked = await line.during(() => ada.clone("copy", line));
    const packs = asked.filter(({ key }) => key.endsWith(".pack"));
    assert.equal(new Set(packs.map(({ key }) => key)).size, 3);
    assert.equal(asked.length, 1 + 2 * 3);
    const inPacks = bytesOf(packs, "downloaded");
    assert.ok(inPacks < 2 * MIB + 4096, `${inPacks} bytes of packs`);
    assert.ok(bytesOf(asked, "downloaded") < inPacks + 8192);
  });
});
