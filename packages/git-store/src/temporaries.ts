import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";

/** Paths that are of no use to anybody when this process has ended. */
const held = new Set<string>();

/** A file or folder that goes away at the end of the block, or when the process is ended by a signal. */
export class Temporary implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    held.add(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    held.delete(this.path);
  }
}

/** For handlers of signals, which cannot wait: removes all that is there. */
export function removeTemporaries(): void {
  for (const path of held) rmSync(path, { recursive: true, force: true });
}
