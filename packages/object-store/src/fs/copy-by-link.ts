import type { Stats } from "node:fs";
import { StorageError } from "../errors.ts";
import type { ObjectKey } from "../key.ts";
import type { CopyOptions } from "../port.ts";
import { closeSync, lstat } from "./calls.ts";
import { fsError, isErrno } from "./errors.ts";
import { etagOf } from "./file-stat.ts";
import { linkFile, statFile, type Names } from "./names.ts";
import { removeTemporary, type Temporaries } from "./temporaries.ts";

interface Paths {
  readonly from: ObjectKey;
  readonly to: ObjectKey;
  /** Of the file of `from`. */
  readonly source: string;
  /** Of the file of `to`. */
  readonly target: string;
}

/**
 * Creates a copy as a second name for the same file, which costs nothing: files are never changed, only replaced. Both have
 * one etag then, as they have the same bytes.
 * @returns undefined where there are no hard links
 */
export async function copyByLink(
  { temporaries, names }: { readonly temporaries: Temporaries; readonly names: Names },
  { from, to, source, target }: Paths,
  { fromEtag, signal }: CopyOptions,
): Promise<Stats | undefined> {
  try {
    const { path, fd } = await temporaries.create();
    closeSync(fd);
    // A name of our own for this version, whatever happens to the other one.
    const pinned = `${path}-copy`;
    try {
      if (!(await linkFile(source, pinned))) return undefined;
      const stats = await lstat(pinned);
      if (!stats.isFile()) throw new StorageError("not-found", `there is no object ${from}`);
      if (fromEtag !== undefined && etagOf(stats) !== fromEtag) throw anotherVersion(from);
      const condition = { ifAbsent: true, ...(signal === undefined ? {} : { signal }) };
      return await names.give(to, target, { path: pinned, stats }, condition);
    } finally {
      await removeTemporary(pinned);
      await removeTemporary(path);
    }
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR") && (await statFile(source)) === undefined) {
      throw new StorageError("not-found", `there is no object ${from}`, { cause: error });
    }
    throw fsError(error, `copying ${from} to ${to}`);
  }
}

export function anotherVersion(key: ObjectKey): StorageError {
  return new StorageError("conflict", `${key} is not the version that was to be copied: read it again`);
}
