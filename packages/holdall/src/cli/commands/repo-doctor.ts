import { diagnose, repair, type Finding } from "@holdall/git-store";
import { Command } from "commander";
import { Exit, EXIT_CODES } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { printJson } from "../output.ts";
import { inStore, REMOTE } from "./repo-in-store.ts";

interface RepoDoctorOptions {
  readonly repair?: true;
  readonly json?: true;
}

export function repoDoctor(io: Io): Command {
  const command = new Command("doctor")
    .description("Find out what is not as it should be in a repository in a store.")
    .argument("<remote>", REMOTE)
    .option("--repair", "mend what can be mended without a person");
  return addJsonOption(command).action(async (remote: string, o: RepoDoctorOptions) => {
    await inStore(io, remote, async (repository) => {
      await repository.read();
      const found = await diagnose(repository);
      if (o.repair) await repair(repository, found);
      const left = o.repair && found.length > 0 ? await diagnose(repository) : found;
      const kinds = new Set(left.map(({ kind }) => kind));
      const repaired = found.filter(({ kind }) => !kinds.has(kind));
      if (o.json) printJson(io.stdout, { repaired: repaired.map(documentOf), findings: left.map(documentOf) });
      else io.stdout.write(`${linesOf(repaired, left, remote).join("\n")}\n`);
      if (left.length > 0) throw new Exit(EXIT_CODES.failed.code);
    });
  });
}

function documentOf({ kind, text, repair }: Finding): object {
  return { kind, text, repairable: repair !== undefined };
}

function linesOf(repaired: readonly Finding[], left: readonly Finding[], remote: string): readonly string[] {
  if (repaired.length + left.length === 0) return ["Nothing is wrong."];
  const hint = `"holdall repo doctor ${remote} --repair" mends it`;
  return [
    ...repaired.map(({ text }) => `mended: ${text}`),
    ...left.map(({ text, advice = hint }) => `${text}: ${advice}`),
  ];
}
