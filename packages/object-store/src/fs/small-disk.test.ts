import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { skip } from "../../../../test/support/require.ts";
import { temporaryFolder } from "../../test/folder.ts";

const run = promisify(execFile);

/** A namespace of its own in which the child may mount, and whose mounts go with it. */
const UNSHARE = ["unshare", "--map-root-user", "--mount"] as const;

async function canMount(t: TestContext): Promise<boolean> {
  const folder = await temporaryFolder(t);
  const [program, ...options] = UNSHARE;
  try {
    await run(program, [...options, "mount", "-t", "tmpfs", "tmpfs", folder]);
    return true;
  } catch (error) {
    skip(t, `needs to mount a small disk, and ${UNSHARE.join(" ")} mount … says: ${String(error)}`);
    return false;
  }
}

async function scenario(t: TestContext, name: string): Promise<void> {
  if (!(await canMount(t))) return;
  const [program, ...options] = UNSHARE;
  const child = new URL("../../test/small-disk.ts", import.meta.url).pathname;
  const { stdout } = await run(program, [...options, process.execPath, child, name, await temporaryFolder(t)]);
  assert.equal(stdout, `${name} done\n`);
}

test("a full disk is `full`, loses nothing, and works again when there is room", (t) => scenario(t, "fullDisk"));
test("many small objects fill a disk and all that were stored are whole", (t) => scenario(t, "fullOfSmallObjects"));
test("a read-only disk is `denied` to writers and serves readers", (t) => scenario(t, "readOnlyDisk"));
