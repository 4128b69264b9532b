import { protectRef, unprotectRef } from "@holdall/git-bundles";
import { isRefPattern, protecting, unprotecting, type Denied } from "@holdall/git-store";
import { Command, InvalidArgumentError } from "commander";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { fullName, inStore, REMOTE } from "./repo-in-store.ts";
import { formatRule } from "./repo-show-stored.ts";

const PATTERN = "a branch, or refs by their full names; * is any text within a segment, ** any number of segments";

interface RepoProtectOptions {
  readonly allowForce?: true;
  readonly allowDelete?: true;
}

export function repoProtect(io: Io): Command {
  return new Command("protect")
    .description("Deny pushes that rewrite or delete refs of a repository in a store.")
    .argument("<remote>", REMOTE)
    .argument("<pattern>", PATTERN, readPattern)
    .option("--allow-force", "let pushes rewrite them, and not delete them")
    .option("--allow-delete", "let pushes delete them, and not rewrite them")
    .action(async (remote: string, refs: string, { allowForce, allowDelete }: RepoProtectOptions) => {
      const deny: Denied[] = [...(allowForce ? [] : ["force" as const]), ...(allowDelete ? [] : ["delete" as const])];
      if (deny.length === 0) {
        throw new CommandError('a rule that allows both denies nothing: take it away with "holdall repo unprotect"');
      }
      const rule = { refs, deny };
      await inStore(
        io,
        remote,
        async ({ git, read, by }) => {
          const done = await git.commit(protecting(rule, await by()), await read());
          io.stdout.write(`${done === undefined ? "It is so already" : "Protected"}: ${formatRule(rule)}.\n`);
        },
        async ({ store }) => {
          if (deny.length === 1)
            throw new CommandError("git-remote-s3's layout knows no ref that is protected by half");
          await protectRef(store, refs);
          io.stdout.write(`Protected: ${formatRule(rule)}.\n`);
        },
      );
    });
}

export function repoUnprotect(io: Io): Command {
  return new Command("unprotect")
    .description("Take a rule away that denies pushes to a repository in a store.")
    .argument("<remote>", REMOTE)
    .argument("<pattern>", "as the rule was made with", readPattern)
    .action(async (remote: string, refs: string) => {
      await inStore(
        io,
        remote,
        async ({ git, read, by }) => void (await git.commit(unprotecting(refs, await by()), await read())),
        async ({ store }) => await unprotectRef(store, refs),
      );
      io.stdout.write(`There is no rule for ${refs} any more.\n`);
    });
}

function readPattern(text: string): string {
  const pattern = fullName(text);
  if (isRefPattern(pattern)) return pattern;
  throw new InvalidArgumentError(
    "It is no name of a ref, and no pattern: write main, release/* or refs/tags/**, for example.",
  );
}
