import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadPace } from "./read-pace.ts";

function clockwork(): { pace: ReadPace; take: (milliseconds: number) => void } {
  let now = 0;
  const pace = new ReadPace(() => now);
  const take = (milliseconds: number): void => pace.run(() => void (now += milliseconds));
  return { pace, take };
}

test("reads run on the calling thread as long as they are quick", () => {
  const { pace, take } = clockwork();
  for (let i = 0; i < 1000; i++) {
    assert.equal(pace.here(), true);
    take(0.02);
  }
});

/** How many reads are sent elsewhere before the next try. */
function detour(pace: ReadPace): number {
  let count = 0;
  while (!pace.here()) count += 1;
  return count;
}

test("after a slow read the next ones run elsewhere, twice as many each time that the next try is slow too", () => {
  const { pace, take } = clockwork();
  const detours = Array.from({ length: 12 }, () => {
    take(5);
    return detour(pace);
  });
  assert.deepEqual(detours, [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 16_384, 16_384]);
});

test("reads that are quick again bring the tries back", () => {
  const { pace, take } = clockwork();
  for (let i = 0; i < 12; i++) take(5);
  detour(pace);
  for (let i = 0; i < 9; i++) take(0.02);
  take(5);
  assert.equal(detour(pace), 32);
});

test("a read that is slow to fail counts too", () => {
  let now = 0;
  const pace = new ReadPace(() => now);
  const fail = (): never => {
    now += 5;
    throw new Error("no such file");
  };
  assert.throws(() => pace.run(fail), { message: "no such file" });
  assert.equal(pace.here(), false);
});
