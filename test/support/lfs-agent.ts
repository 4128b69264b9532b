import { symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import type { FoundService } from "../../scripts/services.ts";
import { Person } from "./git-remote/person.ts";
import { CHECKOUT } from "./holdall.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Where npm has put our programs. */
const BIN = join(CHECKOUT, "node_modules", ".bin");

/** Somebody who has our programs on the PATH, as npm puts them there, and this git-lfs. */
export async function lfsPerson(
  t: TestContext,
  gitLfs: FoundService,
  env: Readonly<NodeJS.ProcessEnv> = {},
): Promise<Person> {
  const own = await temporaryFolder(t, "git-lfs");
  await symlink(gitLfs.path, join(own, "git-lfs"));
  const path = [own, BIN, process.env["PATH"]].join(delimiter);
  const person = await Person.create(t, { env: { ...env, PATH: path } });
  await person.git(".", "lfs", "install", "--skip-repo");
  return person;
}
