import { inspect } from "node:util";
import { CommanderError } from "commander";
import { ConfigError } from "../config/errors.ts";
import { isForeseen } from "../foreseen.ts";
import { Exit, EXIT_CODES } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { createProgram } from "./program.ts";

/**
 * Runs one command line, without the names of the interpreter and the script.
 * @returns the exit code; errors have been told on standard error
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(args, { from: "user" });
    return EXIT_CODES.ok.code;
  } catch (error) {
    if (error instanceof Exit) return error.exitCode;
    // Commander has already written its message; help and version are 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
    io.stderr.write(describe(error));
    return EXIT_CODES.failed.code;
  }
}

function describe(error: unknown): string {
  // One line for each problem, starting with file:line:column, as editors and terminals know it.
  if (error instanceof ConfigError) return `${error.message}\n`;
  return isForeseen(error) ? `holdall: ${error.message}\n` : `holdall: this should not happen: ${inspect(error)}\n`;
}
