import type { Command } from "commander";
import { loadConfig, type FlagName, type LoadedConfig } from "../config/index.ts";
import type { Io } from "./io.ts";

/** The options that say which Holdall a command is about. */
export interface WhereOptions {
  readonly data?: string;
  readonly config?: string;
}

export function addWhereOptions(command: Command): Command {
  return command
    .option("--data <folder>", "the folder that holds Holdall's data")
    .option("--config <file>", "the configuration file (default: holdall.yaml here, if there is one)");
}

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print one JSON document");
}

/** @throws ConfigError */
export function loadFor(
  io: Io,
  { data, config }: WhereOptions,
  flags: Partial<Record<FlagName, string>> = {},
): Promise<LoadedConfig> {
  return loadConfig({
    cwd: io.cwd,
    env: io.env,
    ...(config === undefined ? {} : { file: config }),
    flags: { ...flags, ...(data === undefined ? {} : { "--data": data }) },
  });
}
