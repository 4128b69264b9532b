import assert from "node:assert/strict";
import { test } from "node:test";
import { fileSystemOf } from "./machine.ts";

const MOUNTS = String.raw`/dev/sda / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/sdb /tmp/big\040disk xfs rw 0 0
/dev/sdc /tmp2 btrfs rw 0 0
`;

test("a folder is on the file system of the nearest mount above it", () => {
  assert.equal(fileSystemOf("/var/tmp", MOUNTS), "ext4");
  assert.equal(fileSystemOf("/tmp", MOUNTS), "tmpfs");
  assert.equal(fileSystemOf("/tmp/a", MOUNTS), "tmpfs");
  assert.equal(fileSystemOf("/tmp/big disk/a", MOUNTS), "xfs");
  assert.equal(fileSystemOf("/tmp20/a", MOUNTS), "ext4");
});
