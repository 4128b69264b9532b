import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { configCheck } from "./commands/config-check.ts";
import { configPrint } from "./commands/config-print.ts";
import { configSchemaCommand } from "./commands/config-schema.ts";
import { repoCreate } from "./commands/repo-create.ts";
import { repoDeleteBranch } from "./commands/repo-delete-branch.ts";
import { repoDoctor } from "./commands/repo-doctor.ts";
import { repoFsck } from "./commands/repo-fsck.ts";
import { repoList } from "./commands/repo-list.ts";
import { repoImport } from "./commands/repo-import.ts";
import { repoLog } from "./commands/repo-log.ts";
import { repoMaintain } from "./commands/repo-maintain.ts";
import { repoProtect, repoUnprotect } from "./commands/repo-protect.ts";
import { repoRestore } from "./commands/repo-restore.ts";
import { repoSetHead } from "./commands/repo-set-head.ts";
import { repoShow } from "./commands/repo-show.ts";
import { serveCommand } from "./commands/serve.ts";
import { storeProbe } from "./commands/store-probe.ts";
import { storeReencrypt } from "./commands/store-reencrypt.ts";
import { tokenCreate } from "./commands/token-create.ts";
import { tokenList } from "./commands/token-list.ts";
import { tokenRevoke } from "./commands/token-revoke.ts";
import { userAdd } from "./commands/user-add.ts";
import { userList } from "./commands/user-list.ts";
import { userRemove } from "./commands/user-remove.ts";
import type { Io } from "./io.ts";

/** The whole command line. Parsing throws a CommanderError when it is wrong. */
export function createProgram(io: Io): Command {
  const program = new Command("holdall")
    .description("Git and Git LFS on any object storage.")
    .addCommand(serveCommand(io))
    .addCommand(group("user", "Who may sign in.", [userAdd(io), userRemove(io), userList(io)]))
    .addCommand(
      group("token", "Tokens that stand for a user's password, with limits.", [
        tokenCreate(io),
        tokenRevoke(io),
        tokenList(io),
      ]),
    )
    .addCommand(
      group("repo", "The repositories, those of the server and those that are only in a store.", [
        repoList(io),
        repoShow(io),
        repoCreate(io),
        repoLog(io),
        repoProtect(io),
        repoUnprotect(io),
        repoSetHead(io),
        repoDeleteBranch(io),
        repoMaintain(io),
        repoFsck(io),
        repoDoctor(io),
        repoImport(io),
        repoRestore(io),
      ]),
    )
    .addCommand(group("store", "Where objects are kept.", [storeProbe(io), storeReencrypt(io)]))
    .addCommand(group("config", "The configuration.", [configCheck(io), configPrint(io), configSchemaCommand(io)]));
  finish(program, io, program.name());
  return program;
}

function group(name: string, description: string, commands: readonly Command[]): Command {
  const command = new Command(name).description(description);
  for (const child of commands) command.addCommand(child);
  return command;
}

/** What every command has in common. */
function finish(command: Command, io: Io, path: string): void {
  command
    .version(manifest.version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError(`Run "${path} --help" for what it takes.`)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "holdall: ")),
    });
  for (const child of command.commands) finish(child, io, `${path} ${child.name()}`);
}
