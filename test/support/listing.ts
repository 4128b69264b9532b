import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { sha256OfFile } from "./content.ts";

/**
 * Every file below a folder, `.git` left out, by its path: its size, whether it can be executed, and the SHA-256 of its
 * bytes. Two folders with equal listings hold the same.
 */
export async function listing(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: Record<string, string> = {};
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join("/");
    if (!entry.isFile() || name.startsWith(".git/")) continue;
    const { size, mode } = await stat(path);
    files[name] = `${size} bytes${(mode & 0o100) === 0 ? "" : ", executable"}, ${await sha256OfFile(path)}`;
  }
  return files;
}
