import type { RepositoryName } from "@holdall/lfs-protocol";
import { Command } from "commander";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { readRepositoryName } from "../read-repository-name.ts";
import { withData } from "../with-data.ts";

interface RepoShowOptions extends WhereOptions {
  readonly json?: true;
}

export function repoShow(io: Io): Command {
  return addJsonOption(addWhereOptions(new Command("show").description("Show what one repository holds.")))
    .argument("<name>", "the repository's name, such as team/app", readRepositoryName)
    .action(async (name: RepositoryName, { json, ...where }: RepoShowOptions) => {
      const usage = await withData(io, where, { create: false }, ({ repositories }) => repositories.usage(name));
      if (usage === undefined) {
        throw new CommandError(`there is no repository ${JSON.stringify(name)}; "holdall repo list" shows all`);
      }
      const { createdAt, objects, bytes, locks } = usage;
      if (json) printJson(io.stdout, { name, createdAt, objects, bytes, locks });
      else {
        const row = [name, String(objects), String(bytes), String(locks), formatDate(createdAt)];
        printTable(io.stdout, ["NAME", "OBJECTS", "BYTES", "LOCKS", "CREATED (UTC)"], [row]);
      }
    });
}
