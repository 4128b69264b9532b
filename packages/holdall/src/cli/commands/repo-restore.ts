import { applyRestore, planRestore, type RestorePlan } from "@holdall/git-store";
import { Command, InvalidArgumentError } from "commander";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { confirm, inStore, progressTo, REMOTE } from "./repo-in-store.ts";

interface RepoRestoreOptions {
  readonly generation: number;
  readonly full?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly json?: true;
}

const PACKS: Readonly<Record<RestorePlan["packs"], string>> = {
  present: "All objects are there.",
  again: "Objects that only retired packs have would become a pack again.",
  anew: "All packs would be fetched and checked, and one made of them takes their place.",
};

export function repoRestore(io: Io): Command {
  const command = new Command("restore")
    .description("Make the refs of a repository in a store what they were, as a new change on top of all others.")
    .argument("<remote>", REMOTE)
    .requiredOption(
      "--generation <number>",
      'of the state to go back to; "holdall repo log" shows them',
      readGeneration,
    )
    .option("--full", "fetch and check all packs, and make one of them, even if they look whole")
    .option("--dry-run", "only say what would be done")
    .option("--yes", "do not ask");
  return addJsonOption(command).action(async (remote: string, o: RepoRestoreOptions) => {
    await inStore(io, remote, async (repository) => {
      await repository.read();
      const plan = await planRestore(repository, o.generation, { anew: o.full === true });
      if (!o.json) print(io, plan);
      if (o.dryRun !== true) await confirm(io, `Restore ${repository.url}?`, o.yes === true);
      const by = await repository.by();
      const done = o.dryRun ? undefined : await applyRestore(repository, plan, { by, say: progressTo(io) });
      const generation = done?.manifest.generation;
      if (o.json) printJson(io.stdout, documentOf(plan, generation));
      else if (generation !== undefined) io.stdout.write(`It is done, and generation ${generation}.\n`);
      else io.stdout.write("Nothing was changed.\n");
    });
  });
}

function print(io: Io, { now: { manifest }, past, updates, packs }: RestorePlan): void {
  io.stdout.write(`Generation ${past.generation}, of ${formatDate(past.at)} UTC. ${PACKS[packs]}\n`);
  const rows = updates.map(({ ref, from = "–", to = "–" }) => [ref, from, to]);
  if (past.head !== manifest.head) rows.push(["HEAD", manifest.head, past.head]);
  if (rows.length === 0) io.stdout.write("No ref would move.\n");
  else printTable(io.stdout, ["REF", "NOW", "THEN"], rows);
}

function documentOf({ past, updates, packs }: RestorePlan, generation: number | undefined): object {
  return {
    restored: past.generation,
    at: past.at,
    head: past.head,
    updates: updates.map(({ ref, from, to }) => ({ ref, from: from ?? null, to: to ?? null })),
    packs,
    generation: generation ?? null,
  };
}

function readGeneration(text: string): number {
  const generation = Number(text);
  if (!Number.isSafeInteger(generation) || generation < 1)
    throw new InvalidArgumentError("Give a whole number from 1.");
  return generation;
}
