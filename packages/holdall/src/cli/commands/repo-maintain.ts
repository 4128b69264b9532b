import { GRACE, maintain, type Maintained } from "@holdall/git-store";
import { Command, InvalidArgumentError, Option } from "commander";
import { ValueError } from "../../config/errors.ts";
import { formatDuration, parseDuration } from "../../config/units.ts";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { printJson } from "../output.ts";
import { inStore, progressTo, REMOTE } from "./repo-in-store.ts";

interface RepoMaintainOptions {
  /** Milliseconds. */
  readonly grace: number;
  readonly full?: true;
  readonly json?: true;
}

export function repoMaintain(io: Io): Command {
  const command = new Command("maintain")
    .description("Merge packs of a repository in a store, remove what nobody needs, and finish what crashed.")
    .argument("<remote>", REMOTE)
    .addOption(
      new Option("--grace <duration>", "longer than any push or clone takes: what was replaced stays for so long")
        .argParser(readGrace)
        .default(GRACE, formatDuration(GRACE)),
    )
    .option("--full", "make one pack of all, without what no ref has reached for the grace period");
  return addJsonOption(command).action(async (remote: string, { grace, full, json }: RepoMaintainOptions) => {
    await inStore(io, remote, async (repository) => {
      await repository.read();
      const done = await maintain(repository, { grace, full: full === true, say: progressTo(io) });
      if (json) printJson(io.stdout, { ...done, uploads: done.uploads ?? null });
      else io.stdout.write(`${sentencesOf(done).join("\n")}\n`);
    });
  });
}

function sentencesOf({ before, after, removed, uploads, views }: Maintained): readonly string[] {
  return [
    before === after ? `There are ${after} packs, as there were.` : `There are ${after} packs, of ${before} before.`,
    ...(removed.length === 0 ? [] : [`Removed ${removed.length} packs that nobody needed any more.`]),
    ...(uploads === undefined ? ["The store does not let us look for unfinished uploads."] : []),
    ...(uploads === undefined || uploads === 0 ? [] : [`Gave up ${uploads} unfinished uploads.`]),
    ...(views.length === 0 ? [] : ["Wrote again what plain tools read."]),
  ];
}

function readGrace(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new InvalidArgumentError(`It ${error.message}.`);
  }
}
