import { inspect } from "node:util";
import { Command, CommanderError } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { CommandError, EXIT_CODES } from "../cli/exit-codes.ts";
import type { Io } from "../cli/io.ts";
import { printTable } from "../cli/output.ts";
import { isForeseen } from "../foreseen.ts";
import { safeUrl } from "../mask-secrets.ts";
import { logFile } from "./lfs-agent-log.ts";
import * as setup from "./lfs-agent-setup.ts";

const NAME = "git lfs-holdall";

/**
 * Runs a command line of people's, without the names of the interpreter and the script.
 * @returns the exit code; errors have been told on standard error
 */
export async function runLfsAgentCommand(args: readonly string[], io: Io): Promise<number> {
  try {
    await createLfsAgentProgram(io).parseAsync(args, { from: "user" });
    return EXIT_CODES.ok.code;
  } catch (error) {
    // Commander has already written its message; help and version are 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
    io.stderr.write(
      isForeseen(error) ? `${NAME}: ${error.message}\n` : `${NAME}: this should not happen: ${inspect(error)}\n`,
    );
    return EXIT_CODES.failed.code;
  }
}

interface Where {
  readonly remote?: string;
  readonly global?: true;
}

function createLfsAgentProgram(io: Io): Command {
  const { cwd } = io;
  const say = (text: string): void => void io.stdout.write(`${text}\n`);
  const program = new Command(NAME).description("Git LFS objects straight to a bucket or a folder, without a server.");

  program
    .command("install")
    .description("Have git-lfs take the objects of remotes that are stores there.")
    .option("--remote <name>", "of this remote only; of all that are stores without it")
    .option("--url <store>", "with --remote: where its objects go, if that is not where the remote is")
    .option("--global", "of all such remotes in all repositories, from a clone on")
    .action(async ({ remote, url, global }: Where & { readonly url?: string }) => {
      exclusive(program, remote, global);
      if (url !== undefined && remote === undefined) program.error("error: --url goes with --remote");
      if (global) {
        await setup.installGlobally(cwd);
        return say("LFS objects of all remotes that are stores go there, in all repositories.");
      }
      for (const name of await chosen(remote, cwd)) {
        say(`${name}: LFS objects go to ${safeUrl(await setup.installForRemote(name, url, cwd))}`);
      }
    });

  program
    .command("uninstall")
    .description("Take that back.")
    .option("--remote <name>", "for this remote only; for all of this repository without it")
    .option("--global", "what was set up for all repositories")
    .action(async ({ remote, global }: Where) => {
      exclusive(program, remote, global);
      if (global) return await setup.uninstallGlobally(cwd);
      const remotes = (await setup.status(cwd)).map((one) => one.remote);
      for (const name of remote === undefined ? new Set(remotes) : [remote]) await setup.uninstallForRemote(name, cwd);
    });

  program
    .command("status")
    .description("Say where the objects of each remote go, and by whom.")
    .action(async () => {
      const found = await setup.status(cwd);
      if (found.length === 0) return say("This repository has no remotes.");
      const uploads = { download: "", upload: " (push)" };
      const rows = found.map(({ remote, operation, url = "–", by }) => [
        `${remote}${uploads[operation]}`,
        url,
        by === "missing" ? `nobody: run "${NAME} install"` : by === "agent" ? "git-lfs-holdall" : "git-lfs itself",
      ]);
      printTable(io.stdout, ["REMOTE", "LFS OBJECTS ARE AT", "TRANSFERRED BY"], rows);
    });

  for (const [name, on, what] of [
    ["enable-debug", true, "Log each transfer, and each request to the store."],
    ["disable-debug", false, "No longer log transfers."],
  ] as const) {
    program
      .command(name)
      .description(what)
      .option("--global", "in all repositories")
      .action(async ({ global }: Where) => {
        await setup.setDebug(on, global ? "--global" : "--local", cwd);
        if (on) say(`The log is ${global ? "lfs/tmp/git-lfs-holdall.log in each git folder" : await logFile(cwd)}`);
      });
  }

  for (const command of [program, ...program.commands]) {
    command
      .helpOption("-h, --help", "print this help")
      .helpCommand(false)
      .exitOverride()
      .configureOutput({
        writeOut: (text) => io.stdout.write(text),
        writeErr: (text) => io.stderr.write(text),
        outputError: (text, write) => write(text.replace(/^error: /, `${NAME}: `)),
      });
  }
  return program.version(manifest.version, "--version", "print the version");
}

function exclusive(program: Command, remote: string | undefined, global: true | undefined): void {
  if (remote !== undefined && global) program.error("error: --remote and --global exclude each other");
}

async function chosen(remote: string | undefined, cwd: string): Promise<readonly string[]> {
  if (remote !== undefined) return [remote];
  const remotes = await setup.storeRemotes(cwd);
  if (remotes.length > 0) return remotes;
  throw new CommandError(
    "no remote of this repository is a store: --remote and --url say which remote's objects go to which store",
  );
}
