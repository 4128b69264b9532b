import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { startS3 } from "../support/cloud-stores.ts";
import { Person } from "../support/git-remote/person.ts";
import { CHECKOUT } from "../support/holdall.ts";
import { runWell } from "../support/run.ts";

/** The first block of a document, after a heading, as a shell reads it. */
async function blockOf(document: string, heading: string): Promise<string> {
  const text = await readFile(join(CHECKOUT, document), "utf8");
  const [, block] = new RegExp(`^#+ ${heading}$.*?^\`\`\`(?:sh)?\n(.*?)^\`\`\`$`, "ms").exec(text) ?? [];
  assert.ok(block !== undefined, `${document} has a block below "${heading}"`);
  return block;
}

async function follow(t: TestContext, block: string): Promise<void> {
  const server = await startS3();
  atEnd(t, async () => {
    await server[Symbol.asyncDispose]();
  });
  const bucket = await server.createBucket();
  const person = await Person.create(t, { env: server.env });
  await person.git(".", "init", "--quiet", "work");
  const commit = await person.commit("work", "one");
  // It stands in the checkout, where the commands say so.
  const lines = block.replaceAll("my-bucket", bucket).replaceAll("$PWD", CHECKOUT);
  await runWell("sh", ["-ec", lines], { cwd: person.path("work"), env: person.env });
  assert.equal(await person.git("work/app", "rev-parse", "HEAD"), commit);
}

for (const [document, heading] of [
  ["README.md", "Without a server"],
  ["docs/git-remote.md", "A Git remote that is only a bucket"],
] as const) {
  test(`the first lines of ${document} about remotes do what they say`, async (t) => {
    await follow(t, await blockOf(document, heading));
  });
}
