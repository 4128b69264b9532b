import { deleteRef } from "@holdall/git-bundles";
import { deletingBranch } from "@holdall/git-store";
import { Command } from "commander";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { confirm, fullName, type InStore, inStore, REMOTE } from "./repo-in-store.ts";

export function repoDeleteBranch(io: Io): Command {
  return new Command("delete-branch")
    .description("Delete a branch of a repository in a store.")
    .argument("<remote>", REMOTE)
    .argument("<branch>", "the branch")
    .option("--yes", "do not ask")
    .action(async (remote: string, branch: string, { yes }: { readonly yes?: true }) => {
      const ref = fullName(branch);
      const byPacks = async ({ git, read, by, url }: InStore): Promise<void> => {
        const now = await read();
        const oid = now.manifest.refs.get(ref)?.oid;
        if (oid === undefined) throw new CommandError(`there is no branch ${branch} in ${url}`);
        // What is not allowed is said before anybody is asked.
        const change = deletingBranch(ref, oid, await by());
        await change.make(now.manifest);
        await confirm(io, `Delete ${ref}, which is at ${oid}, from ${url}?`, yes === true);
        const after = await git.commit(change, now);
        const generation = after?.manifest.generation ?? now.manifest.generation;
        io.stdout.write(
          `Deleted ${ref}, which was at ${oid}. "holdall repo restore" has it as of generation ${generation - 1}.\n`,
        );
      };
      await inStore(io, remote, byPacks, async ({ store, url }) => {
        await confirm(io, `Delete ${ref} from ${url}?`, yes === true);
        await deleteRef(store, ref);
        io.stdout.write(`Deleted ${ref}.\n`);
      });
    });
}
