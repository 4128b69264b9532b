import { mkdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { FoundService } from "../../scripts/services.ts";
import { runWell } from "./run.ts";

/**
 * Makes an empty folder the home of somebody with git and one git-lfs, set up and with nothing of the machine that runs
 * the tests.
 * @param o.lfsInstall false when nobody has run `git lfs install` yet
 * @returns the whole environment of that person's programs
 */
export async function makeGitHome(
  home: string,
  o: { readonly name: string; readonly gitLfs: FoundService; readonly lfsInstall?: boolean },
): Promise<Readonly<NodeJS.ProcessEnv>> {
  const bin = join(home, "bin");
  const env = {
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    PATH: [bin, process.env["PATH"]].join(delimiter),
    GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
  };
  await mkdir(bin);
  await symlink(o.gitLfs.path, join(bin, "git-lfs"));
  const settings = { "user.name": o.name, "user.email": `${o.name}@example.invalid`, "init.defaultBranch": "main" };
  for (const [key, value] of Object.entries(settings))
    await runWell("git", ["config", "--global", key, value], { cwd: home, env });
  if (o.lfsInstall !== false) await runWell("git", ["lfs", "install", "--skip-repo"], { cwd: home, env });
  const { stdout } = await runWell("git", ["lfs", "version"], { cwd: home, env });
  if (!stdout.includes(`git-lfs/${o.gitLfs.version} `)) throw new Error(`git runs ${stdout}, not ${o.gitLfs.version}`);
  return env;
}
