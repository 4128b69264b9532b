import { setHead } from "@holdall/git-bundles";
import { pointingHead } from "@holdall/git-store";
import { Command } from "commander";
import type { Io } from "../io.ts";
import { fullName, inStore, REMOTE } from "./repo-in-store.ts";

export function repoSetHead(io: Io): Command {
  return new Command("set-head")
    .description("Set the branch that clones of a repository in a store begin with.")
    .argument("<remote>", REMOTE)
    .argument("<branch>", "the branch, which must be there")
    .action(async (remote: string, branch: string) => {
      const head = fullName(branch);
      await inStore(
        io,
        remote,
        async ({ git, read, by }) => {
          const done = await git.commit(pointingHead(head, await by()), await read());
          io.stdout.write(`Clones begin with ${head}${done === undefined ? " already" : ""}.\n`);
        },
        async ({ store }) => {
          await setHead(store, head);
          io.stdout.write(`Clones begin with ${head}.\n`);
        },
      );
    });
}
