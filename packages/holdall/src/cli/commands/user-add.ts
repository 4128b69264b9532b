import { hashPassword, parseUserName } from "@holdall/identity";
import { Command } from "commander";
import type { Io } from "../io.ts";
import { addWhereOptions, type WhereOptions } from "../options.ts";
import { readPassword } from "../read-password.ts";
import { withData } from "../with-data.ts";

interface UserAddOptions extends WhereOptions {
  readonly admin?: true;
  readonly passwordStdin?: true;
  /** Commander sets it to true when `--no-password` was not given. */
  readonly password: boolean;
}

export function userAdd(io: Io): Command {
  const command = addWhereOptions(new Command("add").description("Add a user. Creates the data folder if need be."));
  return command
    .argument("<name>", "letters, digits and . _ @ -")
    .option("--admin", "the user may do everything everywhere")
    .option("--password-stdin", "read the password from standard input")
    .option("--no-password", "no password: the user signs in with tokens only")
    .action(async (name: string, options: UserAddOptions) => {
      if ((options.passwordStdin === true) !== options.password) {
        command.error("error: say how the user signs in: either --password-stdin or --no-password");
      }
      parseUserName(name);
      // Before the database is opened: typing takes long, hashing too.
      const passwordHash = options.password ? await hashPassword(await readPassword(io)) : undefined;
      await withData(io, options, { create: true }, ({ users }) =>
        users.add({ name, admin: options.admin ?? false, ...(passwordHash === undefined ? {} : { passwordHash }) }),
      );
      io.stdout.write(`Added ${options.admin ? "admin" : "user"} ${name}.\n`);
    });
}
