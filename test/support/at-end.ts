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
