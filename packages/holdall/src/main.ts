import { EXIT_CODES } from "./cli/exit-codes.ts";
import { run } from "./cli/run.ts";

// A pipe that nobody reads any more is no failure: `holdall repo list | head`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

// Node ends a process that waits for nothing it knows of, and calls that a success; a command that has not come to its
// end has failed.
process.exitCode = EXIT_CODES.failed.code;
// Set, not called: process.exit would cut off what is still being written.
process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
});
