import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { sha256OfFile } from "../../test/support/content.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { LargeFile, smallObjects } from "./objects.ts";

test("small objects are all different", () => {
  assert.equal(new Set(smallObjects(50, 1000).map(({ oid }) => oid)).size, 50);
});

test("a large file is told its true oid each time it becomes another", async (t) => {
  const folder = await temporaryFolder(t, "bench-objects");
  const size = 3_000_001;
  const file = await LargeFile.create(join(folder, "large"), size);
  const first = await file.becomeAnother();
  assert.deepEqual(first, { oid: await sha256OfFile(file.path), size });
  const second = await file.becomeAnother();
  assert.deepEqual(second, { oid: await sha256OfFile(file.path), size });
  assert.notEqual(first.oid, second.oid);
});
