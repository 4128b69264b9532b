import { EXIT_CODES } from "../cli/exit-codes.ts";

// The program that git-lfs starts, several times at once, and that people run as `git lfs-holdall`. Only what is needed for
// the one or the other is loaded.
const args = process.argv.slice(2);

// Node ends a process that waits for nothing it knows of, and calls that a success.
process.exitCode = EXIT_CODES.failed.code;
if (args[0] === "transfer") {
  const { transfer } = await import("./lfs-agent-transfer.ts");
  process.exitCode = await transfer({ debug: args.includes("--debug") });
} else {
  // A pipe that nobody reads any more is no failure: `git lfs-holdall status | head`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const { runLfsAgentCommand } = await import("./lfs-agent-commands.ts");
  process.exitCode = await runLfsAgentCommand(args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
  });
}
