import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { GitError, type LocalGit } from "@holdall/git-store";

export interface GitRun {
  readonly git: LocalGit;
  readonly args: readonly string[];
  readonly input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Is given what git writes, piece by piece. */
  readonly pass: (bytes: Uint8Array) => Promise<void>;
  /** In which git is run; that of this process when left out. */
  readonly env?: Readonly<NodeJS.ProcessEnv> | undefined;
  /** Takes git's own progress, as it is. */
  readonly draw?: ((text: string) => void) | undefined;
  /** Exit codes that are no failure. */
  readonly fine?: readonly number[];
}

/**
 * Runs git on what may be larger than memory, on either side.
 * @throws GitError when it fails; what the input throws, or `pass`, and then git is ended
 */
export async function runGit({ git, args, input, pass, env, draw, fine = [0] }: GitRun): Promise<void> {
  const child = spawn("git", ["--git-dir", git.gitDir, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    // In a partial clone, a look at what is missing would start the helper that is looking.
    env: { ...(env ?? process.env), GIT_NO_LAZY_FETCH: "1" },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (draw !== undefined) child.stderr.on("data", (bytes: Buffer) => draw(bytes.toString()));
  const said = text(child.stderr);
  let broken: { readonly error: unknown } | undefined;
  const end = (error: unknown): void => {
    broken ??= { error };
    child.kill();
  };
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* input;
    } catch (error) {
      end(error);
      throw error;
    }
  };
  const read = async (): Promise<void> => {
    try {
      for await (const bytes of child.stdout) await pass(bytes);
    } catch (error) {
      end(error);
    }
  };
  // When it stops reading, it says why itself.
  const [, , code, why] = await Promise.all([
    pipeline(watched, child.stdin).catch(() => undefined),
    read(),
    ended,
    said,
  ]);
  if (broken !== undefined) throw broken.error;
  if (code === null || !fine.includes(code)) throw new GitError(args, code, why);
}
