import type { RepositoryName } from "@holdall/lfs-protocol";
import { Command } from "commander";
import type { Io } from "../io.ts";
import { addWhereOptions, type WhereOptions } from "../options.ts";
import { readRepositoryName } from "../read-repository-name.ts";
import { withData } from "../with-data.ts";

export function repoCreate(io: Io): Command {
  return addWhereOptions(
    new Command("create").description(
      "Make an empty repository, unless it is there already. Creates the data folder if need be.",
    ),
  )
    .argument("<name>", "the repository's name, such as team/app", readRepositoryName)
    .action(async (name: RepositoryName, where: WhereOptions) => {
      await withData(io, where, { create: true }, ({ repositories }) => repositories.ensure(name));
      io.stdout.write(`Repository ${name} is there.\n`);
    });
}
