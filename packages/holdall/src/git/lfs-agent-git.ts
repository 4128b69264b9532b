import { execFile } from "node:child_process";

/** A command of git's that failed; the message has git's own. */
class GitError extends Error {
  override readonly name = "GitError";
  readonly code = "git";
}

/** @returns what it wrote to standard output, and its exit code. @throws GitError when it cannot be started */
export function tryGit(
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile("git", args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr });
      if (typeof error.code === "number") return resolve({ code: error.code, stdout, stderr });
      reject(new GitError(`git could not be run: ${error.message}`, { cause: error }));
    });
  });
}

/** @throws GitError unless it exits with 0 or another code that is expected */
export async function runGit(args: readonly string[], cwd: string, expected: readonly number[] = []): Promise<string> {
  const { code, stdout, stderr } = await tryGit(args, cwd);
  if (code !== 0 && !expected.includes(code)) {
    throw new GitError(`git ${args[0] ?? ""} ended with ${code}: ${stderr.trim()}`);
  }
  return stdout;
}
