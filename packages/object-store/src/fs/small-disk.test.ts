import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SmallDisk } from "../../../../test/support/small-disk.ts";

const CHILD = fileURLToPath(new URL("../../test/small-disk.ts", import.meta.url));
const run = promisify(execFile);

const SIZE = "16m";

async function play(scenario: string, disk: SmallDisk): Promise<void> {
  const [program, ...args] = [...disk.enter, process.execPath, CHILD, scenario, disk.path];
  assert.equal((await run(program, args)).stdout, `${scenario} done\n`);
}

for (const [title, scenario] of [
  ["a full disk is `full`, loses nothing, and works again when there is room", "fullDisk"],
  ["many small objects fill a disk and all that were stored are whole", "fullOfSmallObjects"],
] as const) {
  test(title, async (t) => {
    const disk = await SmallDisk.mount(t, SIZE);
    if (disk !== undefined) await play(scenario, disk);
  });
}

test("a read-only disk is `denied` to writers and serves readers", async (t) => {
  const disk = await SmallDisk.mount(t, SIZE);
  if (disk === undefined) return;
  await play("beforeReadOnly", disk);
  await disk.makeReadOnly();
  await play("readOnly", disk);
});
