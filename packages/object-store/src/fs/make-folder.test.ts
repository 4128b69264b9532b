import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { skip } from "../../../../test/support/require.ts";
import { temporaryFolder } from "../../test/folder.ts";
import { makeFolder } from "./make-folder.ts";

test("makes what is missing, with the mode, and says where it began", async (t) => {
  const root = await temporaryFolder(t);
  assert.equal(await makeFolder(join(root, "a/b/c"), 0o700), join(root, "a"));
  for (const made of ["a", "a/b", "a/b/c"]) assert.equal((await stat(join(root, made))).mode & 0o777, 0o700);
  assert.equal(await makeFolder(join(root, "a/b/c")), undefined);
  assert.equal(await makeFolder(join(root, "a/b/d")), join(root, "a/b/d"));
  assert.equal(await makeFolder(root), undefined);
});

test("many at once all find it made", async (t) => {
  const folder = join(await temporaryFolder(t), "a/b/c/d/e/f");
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(folder)));
  assert.ok((await stat(folder)).isDirectory());
});

test("a file in the way is an error, and one that has the name is left alone", async (t) => {
  const file = join(await temporaryFolder(t), "file");
  await writeFile(file, "");
  await assert.rejects(makeFolder(join(file, "a/b")), { code: "ENOTDIR" });
  assert.equal(await makeFolder(file), undefined);
  assert.ok((await stat(file)).isFile());
});

test("where no folder can be made, a put says so instead of trying for ever", async (t) => {
  if (process.platform !== "linux") return skip(t, "needs /proc, in which nobody can make folders");
  const program = `
    import { FsStore, parseKey } from ${JSON.stringify(new URL("../index.ts", import.meta.url))};
    const put = new FsStore("/proc/holdall/store").put(parseKey("a"), (async function* () {})(), { size: 0 });
    await put.catch(({ code, message }) => console.log(code, message));`;
  // In a process that can be ended: what tries for ever takes a whole processor.
  const options = { timeout: 60_000, killSignal: "SIGKILL" } as const;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], options);
  assert.match(stdout, /^unavailable storing a failed: ENOENT/);
});
