import { Command } from "commander";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { withData } from "../with-data.ts";

interface UserListOptions extends WhereOptions {
  readonly json?: true;
}

export function userList(io: Io): Command {
  return addJsonOption(addWhereOptions(new Command("list").description("List all users."))).action(
    async ({ json, ...where }: UserListOptions) => {
      const users = await withData(io, where, { create: false }, (metadata) => Array.fromAsync(metadata.users.list()));
      if (json) {
        const shown = users.map(({ name, admin, passwordHash, createdAt }) => ({
          name,
          admin,
          password: passwordHash !== undefined,
          createdAt,
        }));
        printJson(io.stdout, { users: shown });
      } else {
        const rows = users.map(({ name, admin, passwordHash, createdAt }) => [
          name,
          admin ? "yes" : "no",
          passwordHash === undefined ? "tokens only" : "password",
          formatDate(createdAt),
        ]);
        printTable(io.stdout, ["NAME", "ADMIN", "SIGNS IN BY", "ADDED (UTC)"], rows);
      }
    },
  );
}
