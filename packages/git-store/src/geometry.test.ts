import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runToMerge, type Weighed } from "./geometry.ts";

/** What is there after the merge. */
function merged(packs: readonly Weighed[]): Weighed[] {
  const run = runToMerge(packs);
  const rest = packs.slice(0, packs.length - run);
  const objects = packs.slice(packs.length - run).reduce((sum, pack) => sum + pack.objects, 0);
  return run === 0 ? [...packs] : [...rest, { objects }];
}

const weighed = fc.array(
  fc.integer({ min: 1, max: 1_000_000 }).map((objects) => ({ objects })),
  { maxLength: 60 },
);

test("a geometric series is left alone, and everything becomes one", () => {
  assert.equal(runToMerge([]), 0);
  assert.equal(runToMerge([{ objects: 1 }]), 0);
  assert.equal(runToMerge([{ objects: 100 }, { objects: 10 }, { objects: 1 }]), 0);
  assert.equal(runToMerge([{ objects: 100 }, { objects: 3 }, { objects: 3 }]), 2);
  assert.equal(runToMerge([{ objects: 5 }, { objects: 3 }, { objects: 3 }]), 3);
  fc.assert(
    fc.property(weighed, (packs) => {
      const after = merged(packs);
      assert.equal(runToMerge(after), 0);
      let newer = 0;
      for (const { objects } of after.toReversed()) {
        assert.ok(newer === 0 || objects >= 2 * newer);
        newer += objects;
      }
    }),
    { seed: 8 },
  );
});

test("after any number of pushes there are few packs, and no object was sent often", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 1000 }), (pushes) => {
      let packs: Weighed[] = [];
      let sent = 0;
      let all = 0;
      for (const objects of pushes) {
        packs.push({ objects });
        all += objects;
        sent += objects;
        const run = runToMerge(packs);
        sent += packs.slice(packs.length - run).reduce((sum, pack) => sum + (run === 0 ? 0 : pack.objects), 0);
        packs = merged(packs);
        assert.ok(packs.length <= 2 + Math.log2(all));
      }
      assert.ok(sent <= all * (2 + Math.log2(all)), `${sent} objects were sent for ${all}`);
    }),
    { seed: 9, numRuns: 50 },
  );
});
