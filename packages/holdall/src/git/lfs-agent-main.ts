// The program that git-lfs starts, several times at once, and that people run as `git lfs-holdall`. Only what is needed for
// the one or the other is loaded.
const args = process.argv.slice(2);

if (args[0] === "transfer") {
  const { transfer } = await import("./lfs-agent-transfer.ts");
  process.exitCode = await transfer({ debug: args.includes("--debug") });
} else {
  const { runLfsAgentCommand } = await import("./lfs-agent-commands.ts");
  process.exitCode = await runLfsAgentCommand(args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
  });
}
