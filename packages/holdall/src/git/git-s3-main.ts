import { EXIT_CODES } from "../cli/exit-codes.ts";
import { run } from "../cli/run.ts";
import { asHoldall, USAGE } from "./git-s3.ts";

const args = asHoldall(process.argv.slice(2));
if (args === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = EXIT_CODES.usage.code;
} else {
  process.exitCode = EXIT_CODES.failed.code;
  process.exitCode = await run(args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
  });
}
