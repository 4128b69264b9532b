import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";

/** An empty folder among the system's temporary files, for what lives longer than one test or is no test. */
export class TemporaryFolder implements AsyncDisposable {
  /** The real one, without links. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param name a part of the folder's own, so that what is left behind can be told apart */
  static async create(name: string): Promise<TemporaryFolder> {
    return new TemporaryFolder(await realpath(await mkdtemp(join(tmpdir(), `holdall-${name}-`))));
  }

  /** Removes it with all that is in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A program that was stopped half-way may still be writing: removal is tried again.
    await rm(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** The path of a {@link TemporaryFolder} that is removed when the test has ended. */
export async function temporaryFolder(t: TestContext, name: string): Promise<string> {
  const folder = await TemporaryFolder.create(name);
  atEnd(t, () => folder[Symbol.asyncDispose]());
  return folder.path;
}
