import { Command } from "commander";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, loadFor, type WhereOptions } from "../options.ts";
import { printJson } from "../output.ts";

interface ConfigPrintOptions extends WhereOptions {
  readonly json?: true;
}

export function configPrint(io: Io): Command {
  return addJsonOption(
    addWhereOptions(new Command("print").description("Print every value, and where it came from. Secrets are masked.")),
  ).action(async ({ json, ...where }: ConfigPrintOptions) => {
    const loaded = await loadFor(io, where);
    // Loaded only here: it brings what reads and writes YAML.
    const { printConfig, shownSettings } = await import("../../config/print.ts");
    if (json) printJson(io.stdout, { settings: shownSettings(loaded) });
    else io.stdout.write(printConfig(loaded));
  });
}
