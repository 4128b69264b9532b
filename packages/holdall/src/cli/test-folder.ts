import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** For tests: makes an empty folder that goes away after the suite or the file that asked for it. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdall-cli-"));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
