import { join } from "node:path";
import type { LocalGit } from "@holdall/git-store";

export interface Destination {
  readonly git: LocalGit;
  /** What the `.keep` file says that holds off `git gc`; without it there is none. */
  readonly keep?: string;
  /** Takes git's own progress, as it is. */
  readonly draw?: ((text: string) => void) | undefined;
}

/** It ends so when the pack is fine but links to objects that it does not have and the repository has. */
const LINKS_ELSEWHERE = 1;

/**
 * Puts a pack into a repository as it comes, and checks that all that its objects link to is there. What the objects say is
 * checked as for any other fetch: where `fetch.fsckObjects` or `transfer.fsckObjects` asks for it.
 * @returns the `.keep` file, if one was asked for and made
 * @throws GitError when git refuses the pack, of which nothing stays then; what the body throws
 */
export async function indexPack(body: AsyncIterable<Uint8Array>, to: Destination): Promise<string | undefined> {
  const { git, keep, draw } = to;
  const args = ["index-pack", "--stdin", "--check-self-contained-and-connected"];
  if (await isStrict(git)) args.push("--strict");
  if (keep !== undefined) args.push(`--keep=${keep}`);
  if (draw !== undefined) args.push("-v");
  let out = "";
  const pass = async (bytes: Uint8Array): Promise<void> => void (out += Buffer.from(bytes).toString());
  await git.stream(args, { input: body, pass, draw, fine: [0, LINKS_ELSEWHERE] });
  const kept = /^keep\t([0-9a-f]+)$/m.exec(out)?.[1];
  return kept === undefined ? undefined : join(await git.packFolder(), `pack-${kept}.keep`);
}

async function isStrict(git: LocalGit): Promise<boolean> {
  for (const name of ["fetch.fsckObjects", "transfer.fsckObjects"]) {
    const { code, stdout } = await git.tryRun(["config", "--type=bool", "--get", name]);
    if (code === 0) return stdout.trim() === "true";
  }
  return false;
}
