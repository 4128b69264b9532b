// The helper over a folder, as a program that git starts: `helper.ts REMOTE FOLDER`.
import { homedir } from "node:os";
import { join } from "node:path";
import { FsStore } from "@holdall/object-store";
import { runHelper } from "../src/helper.ts";

const folder = process.argv[3] ?? "";
process.exitCode = await runHelper({
  url: folder,
  store: Promise.resolve(new FsStore(folder)),
  gitDir: process.env["GIT_DIR"],
  cacheFolder: join(homedir(), ".cache"),
  input: process.stdin,
  output: process.stdout,
  say: (text) => process.stderr.write(text),
});
