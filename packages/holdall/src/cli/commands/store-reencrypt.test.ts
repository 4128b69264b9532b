import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { spawnHoldall, type Ended } from "../spawn-holdall.ts";
import { testFolder } from "../test-folder.ts";

const KEYS: Readonly<Record<string, string>> = { old: "0b".repeat(32), new: "ce".repeat(32) };

describe("holdall store reencrypt", async () => {
  const cwd = await testFolder();
  const run = (...args: string[]): Promise<Ended> => spawnHoldall(["store", "reencrypt", ...args], { cwd });

  /** Keys with these ids; objects are put under the first. */
  const configure = async (...ids: string[]): Promise<void> => {
    const keys = ids.map((id) => ({ id, key: KEYS[id] }));
    await writeFile(join(cwd, "holdall.yaml"), JSON.stringify({ data: "data", encryption: { current: ids[0], keys } }));
  };

  const objects = new Map(
    ["", "one", "two".repeat(50_000)].map((text) => {
      const bytes = Buffer.from(text);
      const oid = createHash("sha256").update(bytes).digest("hex");
      return [join(cwd, "data/store/objects", oid.slice(0, 2), oid.slice(2, 4), oid), bytes];
    }),
  );
  const stray = join(cwd, "data/store/stray");

  /** The key ids that the objects bear; an empty one for what is not encrypted. */
  const keyIds = (): Promise<string[]> =>
    Promise.all(
      [...objects.keys()].map(async (path) => {
        const text = await readFile(path, "latin1");
        return /^holdall-aead-v1\n([\w]+)\0/.exec(text)?.[1] ?? "";
      }),
    );

  before(async () => {
    for (const [path, bytes] of objects) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
  });

  test("without keys it says what to do", async () => {
    assert.deepEqual(await run(), {
      code: 1,
      stdout: "",
      stderr: "holdall: the configuration has no encryption keys: give it some, in encryption.keys\n",
    });
  });

  test("leaves what is not encrypted alone, names it, and fails", async () => {
    await configure("old");
    const { code, stdout, stderr } = await run();
    assert.equal(code, 1);
    assert.equal(stdout, "0 encrypted anew, 0 under the current key already, 3 failed\n");
    assert.equal(stderr.split("\n").length, 4);
    assert.match(stderr, /^objects\/\S+ is not encrypted, .*"holdall store reencrypt --include-plain"/);
    assert.deepEqual(await keyIds(), ["", "", ""]);
  });

  test("--dry-run changes nothing", async () => {
    const { code, stdout } = await run("--include-plain", "--dry-run");
    assert.deepEqual([code, stdout], [0, "3 would be encrypted anew, 0 under the current key already, 0 failed\n"]);
    assert.deepEqual(await keyIds(), ["", "", ""]);
  });

  test("--include-plain takes in what is what its name says, and nothing else", async () => {
    const wrong = join(dirname([...objects.keys()][0] ?? ""), "f".repeat(64));
    await writeFile(wrong, "something else");
    await writeFile(stray, "named by nobody");
    const { code, stdout, stderr } = await run("--include-plain");
    assert.equal(code, 1);
    assert.equal(stdout, "4 encrypted anew, 0 under the current key already, 1 failed\n");
    assert.match(stderr, /^objects\/\S+\/f{64} is not what its name says, so it stays as it is; restore it: /);
    assert.equal(await readFile(wrong, "utf8"), "something else");
    await writeFile(wrong, "");
    assert.deepEqual(await keyIds(), ["old", "old", "old"]);
    assert.match(await readFile(stray, "latin1"), /^holdall-aead-v1\nold\0/);
  });

  test("puts everything under a new key, and finds nothing left to do then", async () => {
    await configure("new", "old");
    const { stdout } = await run("--json");
    assert.deepEqual(JSON.parse(stdout), { key: "new", rewritten: 4, current: 0, failed: 1 });
    assert.deepEqual(await keyIds(), ["new", "new", "new"]);
    await configure("new");
    const again = await run("--json");
    assert.deepEqual(JSON.parse(again.stdout), { key: "new", rewritten: 0, current: 4, failed: 1 });
  });

  test("names a key that is missing, and never shows one", async () => {
    await configure("old");
    const { code, stderr } = await run();
    assert.equal(code, 1);
    assert.match(
      stderr,
      / is encrypted with the key new, which the configuration does not have: add it to encryption\.keys$/m,
    );
    for (const key of Object.values(KEYS)) assert.ok(!stderr.includes(key));
  });

  test("--store names another store, which need not be there", async () => {
    const { code, stdout } = await run("--store", `file://${cwd}/elsewhere`);
    assert.deepEqual([code, stdout], [0, "0 encrypted anew, 0 under the current key already, 0 failed\n"]);
    assert.ok(!(await readdir(cwd)).includes("elsewhere"), "looking makes nothing");
  });
});
