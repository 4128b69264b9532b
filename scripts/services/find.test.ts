import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { putOnPath, setVariable } from "../../test/support/environment.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { environmentVariable, lookUp } from "./find.ts";
import { serviceNames } from "./table.ts";

test("an environment variable points at a ready program", async (t) => {
  const program = join(await putOnPath(t, { "my-lfs": "echo 'git-lfs/9.9.9 (here)'" }), "my-lfs");
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
  setVariable(t, "XDG_CACHE_HOME", await temporaryFolder(t, "cache"));
  setVariable(t, "HOLDALL_TEST_GIT_LFS_NEWEST", "");
  const result = await lookUp("git-lfs-newest", "never");
  assert("missing" in result);
  assert.match(result.missing, /HOLDALL_TEST_GIT_LFS_NEWEST.*services\.ts install git-lfs-newest/);
});

test("one on PATH does where any version will, and not where a certain one is meant", async (t) => {
  const folder = await putOnPath(t, { rudolfs: "echo 'rudolfs 9.9.9'", "git-lfs": "echo 'git-lfs/9.9.9 (here)'" });
  setVariable(t, "XDG_CACHE_HOME", await temporaryFolder(t, "cache"));
  setVariable(t, "HOLDALL_TEST_RUDOLFS", "");
  setVariable(t, "HOLDALL_TEST_GIT_LFS_NEWEST", "");
  assert.deepEqual(await lookUp("rudolfs", "never"), { path: join(folder, "rudolfs"), version: "9.9.9" });
  assert("missing" in (await lookUp("git-lfs-newest", "never")));
});

test("every service has a variable of its own", () => {
  const variables = new Set(serviceNames.map(environmentVariable));
  assert.equal(variables.size, serviceNames.length);
  for (const variable of variables) assert.match(variable, /^HOLDALL_TEST_[A-Z0-9_]+$/);
});
