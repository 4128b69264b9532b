import { Command } from "commander";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { withData } from "../with-data.ts";

interface RepoListOptions extends WhereOptions {
  readonly json?: true;
}

export function repoList(io: Io): Command {
  return addJsonOption(addWhereOptions(new Command("list").description("List all repositories."))).action(
    async ({ json, ...where }: RepoListOptions) => {
      const repositories = await withData(io, where, { create: false }, (metadata) =>
        Array.fromAsync(metadata.repositories.list()),
      );
      if (json) {
        printJson(io.stdout, { repositories: repositories.map(({ name, createdAt }) => ({ name, createdAt })) });
      } else {
        const rows = repositories.map(({ name, createdAt }) => [name, formatDate(createdAt)]);
        printTable(io.stdout, ["NAME", "CREATED (UTC)"], rows);
      }
    },
  );
}
