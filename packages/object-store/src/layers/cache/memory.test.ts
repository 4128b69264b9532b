import assert from "node:assert/strict";
import { test } from "node:test";
import { Child } from "../../../test/child.ts";
import { temporaryFolder } from "../../../test/folder.ts";
import { MiB } from "../../contract/contract-test.ts";

test("400 slow readers of 40 MiB each take less than 150 MiB of memory", async (t) => {
  const child = new Child(t, "cache-slow-readers", await temporaryFolder(t), "400");
  const grown = Number((await child.lines.next()).value);
  await child.end();
  assert.ok(grown > 0 && grown < 150 * MiB, `the process grew by ${grown} bytes`);
});
