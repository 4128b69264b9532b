import { Command } from "commander";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { addWhereOptions, type WhereOptions } from "../options.ts";
import { withData } from "../with-data.ts";

export function tokenRevoke(io: Io): Command {
  return addWhereOptions(new Command("revoke").description("End a token now, whatever its expiry."))
    .argument("<id>", 'the token\'s id, as "holdall token list" shows it; not the token itself')
    .action(async (id: string, where: WhereOptions) => {
      const removed = await withData(io, where, { create: false }, ({ tokens }) => tokens.remove(id));
      // The text may be the token itself, so it is not repeated.
      if (!removed) throw new CommandError('there is no token with that id; "holdall token list" shows all');
      io.stdout.write(`Revoked token ${id}.\n`);
    });
}
