/**
 * Runs tests: all, or the files that are named. Each is a process of its own, and starts many others, of Holdall and of servers: what
 * Node.js has compiled once is kept for all of them, which is half of the time.
 */
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ALL = ["packages", "test", "scripts", "bench"].map((folder) => `${folder}/**/*.test.ts`);
/** More than there are processors: tests wait for disks and servers, too. */
const AT_ONCE = 4;

const named = process.argv.slice(2);
const child = spawn(
  process.execPath,
  ["--test", `--test-concurrency=${AT_ONCE}`, ...(named.length === 0 ? ALL : named)],
  {
    stdio: "inherit",
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...process.env },
  },
);
// From a terminal it hears of them itself, and has things to clear away.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill());
child.once("exit", (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
