import { chmod, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "./temporary-folder.ts";

/** Sets an environment variable for the time of the test. */
export function setVariable(t: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

/** Puts programs of the test's own, shell scripts, before all others on PATH. @returns their folder */
export async function putOnPath(t: TestContext, scripts: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder(t, "programs");
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  setVariable(t, "PATH", `${folder}${delimiter}${process.env["PATH"]}`);
  return folder;
}
