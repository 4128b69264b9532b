import { fsck, type FsckReport } from "@holdall/git-store";
import { Command } from "commander";
import { Exit, EXIT_CODES } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { printJson } from "../output.ts";
import { inStore, progressTo, REMOTE } from "./repo-in-store.ts";

interface RepoFsckOptions {
  readonly full?: true;
  readonly json?: true;
}

export function repoFsck(io: Io): Command {
  const command = new Command("fsck")
    .description("Check that all of a repository in a store is there.")
    .argument("<remote>", REMOTE)
    .option("--full", "fetch all, check the bytes, and have git check the objects");
  return addJsonOption(command).action(async (remote: string, { full, json }: RepoFsckOptions) => {
    await inStore(io, remote, async (repository) => {
      await repository.read();
      const report = await fsck(repository, { full: full === true, say: progressTo(io) });
      if (json) printJson(io.stdout, { ...report, whole: report.whole ?? null });
      else io.stdout.write(`${linesOf(report, { remote, full: full === true }).join("\n")}\n`);
      if (report.problems.length > 0) throw new Exit(EXIT_CODES.failed.code);
    });
  });
}

function linesOf(
  { generation, packs, bytes, problems, whole }: FsckReport,
  { remote, full }: { remote: string; full: boolean },
): readonly string[] {
  const what = `Generation ${generation}, ${packs} packs of ${bytes} bytes`;
  if (problems.length === 0) return [`${what}: ${full ? "all of it is whole" : "all packs are there"}.`];
  return [`${what}:`, ...problems, adviceFor({ whole, full, remote })];
}

function adviceFor({ whole, full, remote }: { whole: number | undefined; full: boolean; remote: string }): string {
  if (!full) return `"holdall repo fsck ${remote} --full" says what can be restored.`;
  if (whole === undefined) return "No generation in the log is whole: restore from a copy or a version of the bucket.";
  return `Generation ${whole} is whole: "holdall repo restore ${remote} --generation ${whole} --full" makes it the present one.`;
}
