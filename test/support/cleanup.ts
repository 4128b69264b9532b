import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/** Runs `work` when the test has ended, however it ended. Last in, first out, unlike `t.after`: a folder goes after its server. */
export function atEnd(t: TestContext, work: () => void | Promise<void>): void {
  let stack = stacks.get(t);
  if (stack === undefined) {
    const created = new AsyncDisposableStack();
    t.after(() => created.disposeAsync());
    stacks.set(t, created);
    stack = created;
  }
  stack.defer(work);
}

/** An empty folder, by its real path, that is removed when the test has ended. */
export async function temporaryFolder(t: TestContext, name: string): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), `holdall-${name}-`)));
  // A client that was stopped half-way may still be writing: removal is tried again.
  atEnd(t, () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}
