import { constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { closeSync, fsync, openSync } from "./calls.ts";
import { isErrno } from "./errors.ts";

/** Somebody who removes empty folders may be quicker than we are, but not for ever. */
const ATTEMPTS = 5;

/**
 * Makes a folder and those above it that are missing, as `mkdir -p` does. Node's own never returns where a folder takes
 * no new ones and says ENOENT, as /proc and automounters do: it goes on making the folder above, which is there. What
 * has the folder's name already is left as it is, and may be a file.
 * @param mode of the folders that are made
 * @returns the uppermost folder that was made; undefined when there was nothing to do
 * @throws the error of the operating system
 */
export async function makeFolder(folder: string, mode?: number): Promise<string | undefined> {
  let uppermost: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder, { mode });
      return uppermost ?? folder;
    } catch (error) {
      if (isErrno(error, "EEXIST")) return uppermost;
      if (!isErrno(error, "ENOENT") || attempt === ATTEMPTS || dirname(folder) === folder) throw error;
    }
    uppermost = (await makeFolder(dirname(folder), mode)) ?? uppermost;
  }
}

/** As {@link makeFolder}, and what was made survives a power cut. */
export async function makeDurableFolder(folder: string, mode?: number): Promise<void> {
  const uppermost = await makeFolder(folder, mode);
  if (uppermost === undefined) return;
  for (let at = folder; at.length >= uppermost.length; at = dirname(at)) await syncFolder(dirname(at));
}

/** Makes the entries of a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder for that; NTFS journals its entries.
  if (process.platform === "win32") return;
  // Something was just done in it, so the kernel has it in memory.
  const fd = openSync(path, constants.O_RDONLY);
  try {
    await fsync(fd);
  } catch (error) {
    // Some network and FUSE file systems have no such call for folders; there is nothing more to be had from them.
    if (!isErrno(error, "EINVAL", "ENOTSUP", "ENOSYS")) throw error;
  } finally {
    closeSync(fd);
  }
}
