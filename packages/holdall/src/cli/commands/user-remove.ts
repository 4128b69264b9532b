import { Command } from "commander";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addWhereOptions, type WhereOptions } from "../options.ts";
import { withData } from "../with-data.ts";

export function userRemove(io: Io): Command {
  return addWhereOptions(new Command("remove").description("Remove a user and the user's tokens. Locks stay."))
    .argument("<name>", "the user's name")
    .action(async (name: string, where: WhereOptions) => {
      const removed = await withData(io, where, { create: false }, ({ users }) => users.remove(name));
      if (!removed) throw new CommandError(`there is no user ${JSON.stringify(name)}; "holdall user list" shows all`);
      io.stdout.write(`Removed user ${name}.\n`);
    });
}
