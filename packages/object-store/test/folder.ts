import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** An empty folder that is removed when the test has ended. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdall-object-store-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Whatever lies in the place for temporary files, without the empty folders and locks of living stores. */
export async function temporaryFiles(root: string): Promise<string[]> {
  const entries = await readdir(join(root, ".holdall/tmp"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".lock")).map((entry) => entry.name);
}
