import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { WorkQueue } from "./work-queue.ts";

describe("WorkQueue", () => {
  it("never runs more at once than it may, also while tasks end, fail and arrive", async () => {
    const queue = new WorkQueue({ concurrent: 2, queued: 10, retryAfter: 1 });
    const running: PromiseWithResolvers<string>[] = [];
    let atOnce = 0;
    let most = 0;
    const task = async (): Promise<string> => {
      most = Math.max(most, ++atOnce);
      const held = Promise.withResolvers<string>();
      running.push(held);
      try {
        return await held.promise;
      } finally {
        atOnce--;
      }
    };
    const add = (): Promise<string> => queue.run(task).catch((error: Error) => error.message);
    const results = [add(), add(), add(), add()];
    for (let ended = 0; ended < 6; ended++) {
      await settled();
      if (ended % 2 === 0) running[ended]?.resolve("done");
      else running[ended]?.reject(new Error("failed"));
      // One as a place falls free, when a waiting task and a new one could both take it.
      if (ended < 2) results.push(add());
    }
    assert.deepEqual(await Promise.all(results), ["done", "failed", "done", "failed", "done", "failed"]);
    assert.equal(most, 2);
    assert.equal(atOnce, 0);
  });

  it("refuses what it has no room for, and takes it when there is", async () => {
    const queue = new WorkQueue({ concurrent: 1, queued: 0, retryAfter: 7 });
    const held = Promise.withResolvers<string>();
    const first = queue.run(() => held.promise);
    await assert.rejects(
      queue.run(async () => "second"),
      { code: "throttled", retryAfter: 7 },
    );
    held.resolve("first");
    assert.equal(await first, "first");
    assert.equal(await queue.run(async () => "third"), "third");
  });
});
