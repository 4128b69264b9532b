import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { safeUrl } from "../mask-secrets.ts";
import { lfsFolder, readLfsSettings } from "./lfs-agent-settings.ts";

/** Where the log of a repository is, which all its work trees share. */
export async function logFile(cwd: string): Promise<string> {
  return join(lfsFolder(await readLfsSettings(cwd)), "tmp", "git-lfs-holdall.log");
}

/** What writes a line for whoever looks for a fault. Several processes write to the same file. */
export async function openLog(cwd: string): Promise<(line: string) => void> {
  const path = await logFile(cwd);
  mkdirSync(dirname(path), { recursive: true });
  // At once, so that nothing is missing when the process is killed.
  return (line) => appendFileSync(path, `${new Date().toISOString()} [${process.pid}] ${safeUrl(line)}\n`);
}
