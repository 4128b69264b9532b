import { chmod, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import type { Person } from "./git-remote/person.ts";
import { requireService } from "./require.ts";
import { type Finished, run } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The original program in its newest version, and in one from before it had locks. */
export const ORIGINALS = { "0.4.2": "git-remote-s3", "0.1.20": "git-remote-s3-old" } as const;

export type OriginalVersion = keyof typeof ORIGINALS;

const PROGRAMS = ["git-remote-s3", "git-remote-s3+zip", "git-s3"];

/**
 * The same person, for whose git the original git-remote-s3 stands where ours does. Undefined, and the test skipped, where it
 * cannot be had.
 */
export async function withOriginal(
  t: TestContext,
  person: Person,
  version: OriginalVersion,
): Promise<Person | undefined> {
  const service = await requireService(t, ORIGINALS[version]);
  if (service === undefined) return undefined;
  const folder = await programsOf(t, service);
  return person.with({ PATH: [folder, person.env["PATH"]].join(delimiter) });
}

/** Runs `git s3 …` in one of the person's folders, and answers its questions. */
export async function gitS3(person: Person, folder: string, args: readonly string[], answers = ""): Promise<Finished> {
  return await run("git", ["s3", ...args], { cwd: person.path(folder), env: person.env, input: answers });
}

/** Its scripts know the Python of where they were installed; they are given the one of where they are. */
async function programsOf(t: TestContext, { path: python }: FoundService): Promise<string> {
  const folder = await temporaryFolder(t, "original");
  for (const name of PROGRAMS) {
    const program = join(folder, name);
    await writeFile(program, `#!/bin/sh\nexec '${python}' '${join(dirname(python), name)}' "$@"\n`);
    await chmod(program, 0o755);
  }
  return folder;
}
