import { homedir } from "node:os";
import { join } from "node:path";
import { runHelper } from "@holdall/git-remote";
import { removeTemporaries } from "@holdall/git-store/core";
import { endOnSignals, StoppableStore } from "./end-on-signal.ts";
import { openRemoteToLook } from "./open-remote.ts";
import { parseRemoteUrl } from "./remote-url.ts";

const USAGE = `Git runs this program for remotes that are a store: git clone s3://bucket/path,
and the same with gs://, az://, s3+zip://, and holdall:: before any store URL.
See docs/git-remote.md.
`;

const FAILED = 128;

async function main([name, address]: readonly string[]): Promise<number> {
  // By a person, or of a remote that has no URL.
  if (name === undefined || address === undefined) {
    process.stderr.write(USAGE);
    return FAILED;
  }
  const url = parseRemoteUrl(address);
  return await runHelper({
    url: address,
    store: openRemoteToLook(url).then((store) => new StoppableStore(store)),
    gitDir: process.env["GIT_DIR"],
    cacheFolder: join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "holdall", "git"),
    input: process.stdin,
    output: process.stdout,
    say: (text) => process.stderr.write(text),
    layout: url.layout,
    zip: url.zip,
    lockTtl: secondsIn(process.env["GIT_REMOTE_S3_LOCK_TTL_SECONDS"]),
    verbose: /^(?:1|true|yes)$/i.test(process.env["GIT_REMOTE_S3_VERBOSE"] ?? ""),
    singleWriter: url.singleWriter,
  });
}

/** Of the environment that users of git-remote-s3 have. What is no number counts for nothing there, too. */
function secondsIn(text: string | undefined): number | undefined {
  const seconds = Number(text);
  return Number.isInteger(seconds) && seconds > 0 ? seconds : undefined;
}

endOnSignals();
// What libraries warn of is for those who use them, and not for those who use git.
process.removeAllListeners("warning");
// Git that was ended reads no answers: there is nobody left to be told.
process.stdout.on("error", () => {
  removeTemporaries();
  process.exit(FAILED);
});
// Node calls it a success when a program waits for nothing that it knows of.
process.exitCode = FAILED;
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`fatal: ${error instanceof Error ? error.message : String(error)}\n`);
}
