import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { putOnPath, setVariable } from "./environment.ts";
import { skip } from "./require.ts";
import { SmallDisk } from "./small-disk.ts";

const REFUSED = "echo 'Operation not permitted' >&2; exit 1";

test("where no user may have a namespace, sudo mounts the disk for all to see, and unmounts it", async (t) => {
  if (process.platform !== "linux") return skip(t, "only Linux has small disks");
  const note = 'echo "$(basename "$0") $*" >> "$(dirname "$0")/log"';
  const folder = await putOnPath(t, {
    unshare: REFUSED,
    sudo: `${note}; shift; exec "$@"`,
    mount: note,
    umount: note,
  });
  let path = "";
  await t.test("a test with such a disk", async (t) => {
    const disk = await SmallDisk.mount(t, "3m");
    assert.ok(disk !== undefined);
    ({ path } = disk);
    assert.deepEqual([disk.outside, disk.enter], [path, []]);
    await disk.makeReadOnly();
    await disk.makeFileReadOnly(join(path, "file"));
  });
  const [first, ...calls] = (await readFile(join(folder, "log"), "utf8")).trimEnd().split("\n");
  assert.match(first ?? "", /^sudo -n sh -c /);
  assert.deepEqual(calls, [
    `mount -t tmpfs -o size=3m tmpfs ${path}`,
    ...[`-o remount,bind,ro ${path}`, `--bind ${path}/file ${path}/file`, `-o remount,bind,ro ${path}/file`].flatMap(
      (args) => [`sudo -n mount ${args}`, `mount ${args}`],
    ),
    `umount -l ${path}`,
  ]);
});

test("where nobody may mount, the reason says what was tried", async (t) => {
  if (process.platform !== "linux") return skip(t, "only Linux has small disks");
  await putOnPath(t, { unshare: REFUSED, sudo: "echo 'a password is required' >&2; exit 1" });
  setVariable(t, "CI", "true");
  await assert.rejects(SmallDisk.mount(t, "3m"), /unshare: Operation not permitted.*sudo -n: a password is required/);
});
