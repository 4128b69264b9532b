import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test, type TestContext } from "node:test";
import { environmentVariable, lookUp } from "./find.ts";
import { serviceNames } from "./table.ts";

/** Sets an environment variable for the time of the test. */
function setVariable(t: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdall-find-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("an environment variable points at a ready program", async (t) => {
  const program = join(await folderFor(t), "my-lfs");
  await writeFile(program, "#!/bin/sh\necho 'git-lfs/9.9.9 (here)'\n");
  await chmod(program, 0o755);
  setVariable(t, "HOLDALL_TEST_GIT_LFS_NEWEST", program);
  assert.deepEqual(await lookUp("git-lfs-newest", "never"), { path: program, version: "9.9.9" });
});

test("a variable that points at something else is said, not passed over", async (t) => {
  setVariable(t, "HOLDALL_TEST_GIT_LFS", process.execPath);
  const result = await lookUp("git-lfs", "always");
  assert("missing" in result);
  assert.match(result.missing, /^HOLDALL_TEST_GIT_LFS names .*, which is not that program$/);
});

test("a service that is not here names what to do, and looking alone installs nothing", async (t) => {
  setVariable(t, "XDG_CACHE_HOME", await folderFor(t));
  setVariable(t, "HOLDALL_TEST_GIT_LFS_NEWEST", "");
  const result = await lookUp("git-lfs-newest", "never");
  assert("missing" in result);
  assert.match(result.missing, /HOLDALL_TEST_GIT_LFS_NEWEST.*services\.ts install git-lfs-newest/);
});

test("one on PATH does where any version will, and not where a certain one is meant", async (t) => {
  const folder = await folderFor(t);
  for (const [name, says] of [
    ["rudolfs", "rudolfs 9.9.9"],
    ["git-lfs", "git-lfs/9.9.9 (here)"],
  ] as const) {
    await writeFile(join(folder, name), `#!/bin/sh\necho '${says}'\n`);
    await chmod(join(folder, name), 0o755);
  }
  setVariable(t, "PATH", `${folder}${delimiter}${process.env["PATH"]}`);
  setVariable(t, "XDG_CACHE_HOME", await folderFor(t));
  setVariable(t, "HOLDALL_TEST_RUDOLFS", "");
  setVariable(t, "HOLDALL_TEST_GIT_LFS_NEWEST", "");
  assert.deepEqual(await lookUp("rudolfs", "never"), { path: join(folder, "rudolfs"), version: "9.9.9" });
  assert("missing" in (await lookUp("git-lfs-newest", "never")));
});

test("every service has a variable of its own", () => {
  const variables = new Set(serviceNames.map(environmentVariable));
  assert.equal(variables.size, serviceNames.length);
  for (const variable of variables) assert.match(variable, /^HOLDALL_TEST_[A-Z_]+$/);
});
