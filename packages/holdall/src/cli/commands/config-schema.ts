import { Command } from "commander";
import { configJsonSchema } from "../../config/json-schema.ts";
import type { Io } from "../io.ts";
import { printJson } from "../output.ts";

export function configSchemaCommand(io: Io): Command {
  return new Command("schema")
    .description("Print the JSON Schema of configuration files, for editors.")
    .action(() => printJson(io.stdout, configJsonSchema()));
}
