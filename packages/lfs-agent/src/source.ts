import { createReadStream } from "node:fs";
import type { Wanted } from "./messages.ts";

const CHUNK = 1024 * 1024;

/** A file of git-lfs's that is to become an object. */
export interface Source extends Wanted {
  readonly path: string;
}

/** The bytes of the file. @param taken told how many, when they have been taken */
export async function* read({ path }: Source, taken: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
    // Whoever takes it may free its memory.
    const { length } = chunk;
    yield chunk;
    taken(length);
  }
}
