import type { Readable, Writable } from "node:stream";

/** What a command has of the world around it. */
export interface Io {
  readonly stdin: Readable;
  /** For results: what a script reads. */
  readonly stdout: Writable;
  /** For everything else. */
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}
