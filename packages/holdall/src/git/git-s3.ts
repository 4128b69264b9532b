import { parseArgs } from "node:util";

/** What git-remote-s3's users are used to: `git s3 COMMAND REMOTE BRANCH`. */
const COMMANDS = ["doctor", "delete-branch", "protect", "unprotect"] as const;

export const USAGE = `git s3 doctor <remote> [-d|--delete-bundle] [--lock-ttl <seconds>]
git s3 delete-branch <remote> <branch> [--yes]
git s3 protect <remote> <branch>
git s3 unprotect <remote> <branch>

A remote is a URL such as s3://bucket/path, or the name of one of the repository here.
The same as "holdall repo", where there is more: holdall repo --help.
`;

/**
 * The command line of git-remote-s3's `git-s3`, in the words of `holdall`. There, `doctor` took a branch too that it did nothing with.
 * @returns undefined for what is none
 */
export function asHoldall(args: readonly string[]): readonly string[] | undefined {
  const parsed = parse(args);
  const [command, remote, branch] = parsed?.positionals ?? [];
  const known = COMMANDS.find((one) => one === command);
  if (parsed === undefined || known === undefined || remote === undefined) return undefined;
  const { "delete-bundle": deleteBundle, "lock-ttl": lockTtl, yes } = parsed.values;
  if (known === "doctor") {
    const ttl = lockTtl === undefined ? [] : ["--lock-ttl", lockTtl];
    return ["repo", "doctor", "--repair", ...(deleteBundle === true ? ["--delete-bundle"] : []), ...ttl, "--", remote];
  }
  if (branch === undefined) return undefined;
  const agreed = known === "delete-branch" && yes === true ? ["--yes"] : [];
  return ["repo", known, ...agreed, "--", remote, branch];
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        "delete-bundle": { type: "boolean", short: "d" },
        "delete-stale-locks": { type: "boolean" },
        "lock-ttl": { type: "string" },
        yes: { type: "boolean" },
      },
    });
  } catch {
    return undefined;
  }
}
