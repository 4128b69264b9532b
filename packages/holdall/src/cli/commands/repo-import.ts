import { importBundles, removeBundles, type ImportStep } from "@holdall/git-bundles";
import { formatStoreUrl } from "@holdall/object-store";
import { Command } from "commander";
import { committer } from "../../git/find-remote.ts";
import type { Io } from "../io.ts";
import { CommandError } from "../exit-codes.ts";
import { confirm, progressTo, REMOTE, withRemote, type OpenedRemote } from "./repo-in-store.ts";

interface RepoImportOptions {
  readonly into?: string;
  readonly removeBundles?: true;
  readonly yes?: true;
}

export function repoImport(io: Io): Command {
  return new Command("import")
    .description("Make a repository of packs of one in the layout of git-remote-s3, in place or elsewhere.")
    .argument("<remote>", REMOTE)
    .option("--into <remote>", "where the packs are to be; beside the bundles otherwise")
    .option("--remove-bundles", "remove the bundles when all that they have was found in the packs")
    .option("--yes", "do not ask before that")
    .action(async (remote: string, o: RepoImportOptions) => {
      if (o.into !== undefined && o.removeBundles) {
        throw new CommandError("bundles are removed only where the packs are beside them: leave out --remove-bundles");
      }
      await withRemote(io, remote, async (from) => {
        if (o.into === undefined) await importFrom(io, from, from);
        else await withRemote(io, o.into, async (into) => await importFrom(io, from, into));
        if (o.removeBundles) await removeFrom(io, from, o.yes === true);
      });
    });
}

async function importFrom(io: Io, from: OpenedRemote, into: OpenedRemote): Promise<void> {
  const say = progressTo(io);
  const { generation, refs, head, wasThere, overlooked } = await importBundles({
    from: from.store,
    into: into.store,
    by: await committer(io),
    onStep: (step) => say(inWords(step)),
  });
  for (const key of overlooked) say(`${key} is overlooked: no ref can be made of it`);
  const what = `${refs} refs, head ${head}, generation ${generation}`;
  io.stdout.write(`${wasThere ? "All was there already" : "Imported"}: ${into.url}, ${what}.\n`);
}

async function removeFrom(io: Io, { store, found }: OpenedRemote, yes: boolean): Promise<void> {
  await confirm(io, `Remove the bundles of ${formatStoreUrl(found.store)}? git-remote-s3 cannot read it then.`, yes);
  const { bundles, bytes } = await removeBundles({ store, onRemoved: ({ key }) => progressTo(io)(`removed ${key}`) });
  io.stdout.write(`Removed ${bundles} bundles of ${bytes} bytes.\n`);
}

function inWords(step: ImportStep): string {
  switch (step.step) {
    case "bundle":
      return step.known ? `${step.ref}: all of it is here already` : `${step.ref}: ${step.size} bytes`;
    case "pack":
      return `storing a pack of ${step.objects} objects, ${step.size} bytes`;
    case "verify":
      return "reading it back and checking it";
    case "publish":
      return "making it the repository";
  }
}
