import { access, constants, open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { MetadataError } from "../errors.ts";
import { SqlMetadata } from "../metadata.ts";
import { migrationsAfter } from "../migrations/migrations.ts";
import type { Metadata } from "../port.ts";
import { SqliteDatabase } from "./database.ts";
import { migrate, schemaVersion } from "./migrate.ts";
import { errnoOf, openError } from "./open-errors.ts";
import { Reader } from "./reader.ts";
import type { WriterThreadData } from "./writer-thread.ts";
import { SameThread } from "./same-thread.ts";
import { Writer } from "./writer.ts";

/** What the writer thread keeps is small and short-lived; left to itself it would take as much as the whole server. MiB. */
const WRITER_MEMORY = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 };

/** Between two looks at whether another has finished its transaction, in milliseconds. */
const BUSY_PAUSE = 20;

type Signal = AbortSignal | undefined;

export interface SqliteOptions {
  /** Created when absent; its folder must exist, on a local disk. Beside it SQLite keeps `<file>-wal` and `<file>-shm`. */
  readonly file: string;
  /** How long to wait for another process's transaction before `busy`, in milliseconds; 10,000 by default. */
  readonly busyLimit?: number;
  /** Gives up opening. */
  readonly signal?: AbortSignal;
}

/**
 * Opens metadata in an SQLite file, and brings its schema up to date. Any number of processes may have one file open.
 * @throws MetadataError `read-only`, `corrupt`, `newer-schema`, `full`, `busy` or `unavailable`; the file is then as it was
 */
export async function openSqlite({ file, busyLimit = 10_000, signal }: SqliteOptions): Promise<Metadata> {
  signal?.throwIfAborted();
  const path = resolve(file);
  await createOrCheck(path);
  const reader = Reader.open(path, busyLimit);
  const data: WriterThreadData = { file: path, busyLimit };
  const startThread = (): Worker =>
    new Worker(new URL("./writer-thread.ts", import.meta.url), {
      name: "metadata writer",
      workerData: data,
      resourceLimits: WRITER_MEMORY,
    });
  const database = new SqliteDatabase(reader, new Writer(path, startThread));
  try {
    if (!(await isUpToDate(database, path))) await bringUpToDate(path, { busyLimit, signal });
    signal?.throwIfAborted();
  } catch (error) {
    await database.close();
    throw error;
  }
  return new SqlMetadata(database);
}

/** Looks before anything can be changed; `newer-schema` and `corrupt` are found here, by the read-only connection. */
async function isUpToDate(database: SqliteDatabase, path: string): Promise<boolean> {
  try {
    return migrationsAfter(await schemaVersion(database.db, path), path).length === 0;
  } catch (error) {
    // A process died while it created the database; SQLite repairs that by itself, but only through a connection that
    // may write. `migrate` looks at the version again.
    if (error instanceof MetadataError && error.code === "read-only") return false;
    throw error;
  }
}

/** Another process, or another opening in this one, may be at it: its transaction is waited for without blocking. */
async function bringUpToDate(
  path: string,
  { busyLimit, signal }: { busyLimit: number; signal: Signal },
): Promise<void> {
  const until = Date.now() + busyLimit;
  for (;;) {
    const database = new SqliteDatabase(Reader.open(path, busyLimit), new Writer(path, () => new SameThread(path)));
    try {
      return await migrate(database.db, path);
    } catch (error) {
      const busy = error instanceof MetadataError && error.code === "busy";
      if (!busy || Date.now() > until) throw error;
    } finally {
      await database.close();
    }
    await delay(BUSY_PAUSE);
    signal?.throwIfAborted();
  }
}

/**
 * Creates the file, readable for nobody else (it holds password hashes), or finds out whether it and its folder can be
 * written to. An existing file is not opened here: closing it would release the locks that SQLite holds on it for this
 * process (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
async function createOrCheck(path: string): Promise<void> {
  try {
    await (await open(path, "wx", 0o600)).close();
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw openError(path, error);
    await checkFile(path);
    try {
      await access(path, constants.R_OK | constants.W_OK);
      await access(dirname(path), constants.W_OK);
    } catch (denied) {
      throw openError(path, denied);
    }
  }
}

/** SQLite would call a folder a disk error, and wait for ever at a pipe. */
async function checkFile(path: string): Promise<void> {
  let what: string;
  try {
    const stats = await stat(path);
    if (stats.isFile()) return;
    what = stats.isDirectory() ? "a folder" : "neither a file nor a folder";
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw openError(path, error);
    what = "a link to what is not there";
  }
  throw new MetadataError(
    "unavailable",
    `${path} is ${what}, where the database should be: move it away, and restore the database from a backup if there was one`,
  );
}
