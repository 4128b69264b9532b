import { constants, existsSync, type Stats } from "node:fs";
import { closeSync, fstatSync, open, openSync } from "../../fs/calls.ts";
import { isErrno } from "../../fs/errors.ts";
import { FileBody, PieceBody, readPiece, readPieceSync, type Piece } from "../../fs/read-body.ts";
import { QUICK_READ, type ReadPace } from "../../fs/read-pace.ts";
import type { ObjectKey } from "../../key.ts";
import type { GetOptions, StoredObject } from "../../port.ts";
import { resolveRange } from "../../range.ts";
import {
  decodeHeader,
  fileLength,
  FRAME_DATA,
  frameAt,
  frameStart,
  HEADER,
  unpack,
  type EntryInfo,
  type Header,
} from "./format.ts";
import { CacheFault, type Source } from "./source.ts";

export interface OpenedEntry {
  readonly info: EntryInfo;
  /** When it was last used, roughly, in milliseconds since 1970. */
  readonly usedAt: number;
  readonly range: StoredObject["range"];
  /** All checked already, or to be checked as it is read. */
  readonly body: PieceBody | VerifiedFile;
}

interface Wanted {
  readonly store: string;
  readonly key: ObjectKey;
  readonly o: GetOptions;
}

/**
 * Opens an entry of the cache. Small ones are read at once, and on this thread while that is quick.
 * @returns undefined when there is none
 * @throws CacheFault when there is something that is no entry of that object, or that is damaged or unreadable;
 *   StorageError `invalid` as `get`
 */
export async function openEntry(path: string, pace: ReadPace, wanted: Wanted): Promise<OpenedEntry | undefined> {
  const here = pace.here() ? pace : undefined;
  const fd = await openFile(path, here);
  if (fd === undefined) return undefined;
  let mine = true;
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new CacheFault(`${path} is no file`);
    const small = stats.size <= QUICK_READ;
    const lent = !small || wanted.o.borrow === true;
    const start = await readStart(fd, path, { length: small ? stats.size : HEADER, lent, here });
    try {
      const header = checkedHeader(start.bytes, stats, path, wanted);
      const range = resolveRange(wanted.key, header.info.size, wanted.o.range);
      const found = { info: header.info, usedAt: stats.mtimeMs, range };
      if (small) return { ...found, body: new PieceBody(pieceOf(start, header, range, path)) };
      mine = false;
      const body = new VerifiedFile(fd, path, { header, range, o: wanted.o });
      start.done();
      return { ...found, body };
    } catch (error) {
      start.done();
      throw error;
    }
  } finally {
    if (mine) closeSync(fd);
  }
}

/** @param here undefined when another thread is to wait for the disk */
async function openFile(path: string, here: ReadPace | undefined): Promise<number | undefined> {
  try {
    if (here === undefined) return await open(path, constants.O_RDONLY);
    // To fail to open it would cost several times as much as a look.
    return here.run(() => (existsSync(path) ? openSync(path, constants.O_RDONLY) : undefined));
  } catch (error) {
    // Where too many files are open, this one is none the worse.
    if (isErrno(error, "ENOENT", "ENOTDIR", "EMFILE", "ENFILE")) return undefined;
    throw new CacheFault(`cannot open ${path}`, { cause: error });
  }
}

async function readStart(
  fd: number,
  path: string,
  { length, lent, here }: { readonly length: number; readonly lent: boolean; readonly here: ReadPace | undefined },
): Promise<Piece> {
  const range = { start: 0, length };
  try {
    if (here === undefined) return await readPiece(fd, path, range, lent);
    return here.run(() => readPieceSync(fd, path, range, lent));
  } catch (error) {
    throw new CacheFault(`cannot read ${path}`, { cause: error });
  }
}

function checkedHeader(start: Uint8Array, { size }: Stats, path: string, { store, key }: Wanted): Header {
  const header = decodeHeader(start);
  if (header === undefined) throw new CacheFault(`${path} does not begin as an entry does`);
  const { info } = header;
  if (info.store !== store || info.key !== key) throw new CacheFault(`${path} is the entry of another object`);
  if (size !== fileLength(info.size))
    throw new CacheFault(`${path} is ${size} bytes long, not ${fileLength(info.size)}`);
  return header;
}

/** What is wanted of a small entry that was read whole. */
function pieceOf(whole: Piece, { info, seed }: Header, { start, length }: StoredObject["range"], path: string): Piece {
  const bytes = unpack(whole.bytes.subarray(HEADER), 0, seed);
  if (bytes?.length !== info.size) throw new CacheFault(`${path} is damaged`);
  return { bytes: bytes.subarray(start, start + length), done: whole.done };
}

/** A part of a large entry, each frame checked before anything of it is handed out. */
export class VerifiedFile implements Source {
  readonly #path: string;
  readonly #header: Header;
  readonly #file: FileBody;
  readonly #signal: AbortSignal | undefined;
  #frame: number;
  /** How many bytes of the first frame nobody asked for. */
  #skip: number;
  #left: number;

  /** Takes over the descriptor. */
  constructor(
    fd: number,
    path: string,
    { header, range, o }: { header: Header; range: StoredObject["range"]; o: GetOptions },
  ) {
    const { start, length } = range;
    this.#path = path;
    this.#header = header;
    this.#signal = o.signal;
    this.#frame = frameAt(start);
    this.#skip = start - this.#frame * FRAME_DATA;
    this.#left = length;
    const from = frameStart(this.#frame);
    const to = Math.min(frameStart(frameAt(start + length - 1) + 1), fileLength(header.info.size));
    this.#file = new FileBody(fd, path, { start: from, length: to - from }, o);
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const step = await this.#read();
    if (step.done === true) return step;
    const data = unpack(step.value, this.#frame, this.#header.seed);
    if (data === undefined) throw new CacheFault(`${this.#path} is damaged in or after frame ${this.#frame}`);
    const value = data.subarray(this.#skip, this.#skip + this.#left);
    this.#frame += Math.ceil(data.length / FRAME_DATA);
    this.#skip = 0;
    this.#left -= value.length;
    return { done: false, value };
  }

  async #read(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      return await this.#file.next();
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw new CacheFault(`cannot read ${this.#path}`, { cause: error });
    }
  }

  async return(): Promise<void> {
    await this.#file.return();
  }

  /** A read of the disk ends by itself. */
  interrupt(): void {}
}
