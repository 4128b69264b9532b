import { Command } from "commander";
import type { Io } from "../io.ts";
import { addWhereOptions, loadFor, type WhereOptions } from "../options.ts";

export function configCheck(io: Io): Command {
  return addWhereOptions(
    new Command("check").description("Say whether the configuration is right, or all that is not."),
  ).action(async (where: WhereOptions) => {
    await loadFor(io, where);
    io.stdout.write("ok\n");
  });
}
