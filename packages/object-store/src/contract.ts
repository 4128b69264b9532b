import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { conditionTests } from "./contract/conditions.ts";
import { copyingTests } from "./contract/copying.ts";
import type { ContractTest } from "./contract/contract-test.ts";
import { listingTests } from "./contract/listing.ts";
import { multipartTests } from "./contract/multipart.ts";
import { presigningTests } from "./contract/presigning.ts";
import { readingTests } from "./contract/reading.ts";
import { resourceTests } from "./contract/resources.ts";
import { signalTests } from "./contract/signals.ts";
import { writingTests } from "./contract/writing.ts";
import type { Capabilities, ObjectStore } from "./port.ts";

export interface ObjectStoreContract {
  /** Of the adapter or layer, as it is to appear in the report. */
  readonly name: string;
  /** Makes a new, empty store. What it needs beyond `close`, which the suite calls, goes with `t.after`. */
  readonly create: (t: TestContext) => ObjectStore | Promise<ObjectStore>;
  /** What it does not claim. Tests of that are left out; that it claims all else, and nothing of this, is a test. */
  readonly lacks?: readonly (keyof Capabilities)[];
  /** What this store does otherwise, and why. */
  readonly deviations?: readonly Deviation[];
}

export interface Deviation {
  /** The name of the test that it does not pass. */
  readonly test: string;
  readonly reason: string;
}

const TESTS: readonly ContractTest[] = [
  ...readingTests,
  ...writingTests,
  ...conditionTests,
  ...listingTests,
  ...copyingTests,
  ...presigningTests,
  ...multipartTests,
  ...signalTests,
  ...resourceTests,
];

/**
 * Declares one test (of `node:test`) for each promise of the port.
 * @throws Error when a deviation names no test, so that a list of deviations never outlives its reasons
 */
export function objectStoreContract({ name, create, lacks = [], deviations = [] }: ObjectStoreContract): void {
  const reasons = new Map(deviations.map(({ test, reason }) => [test, reason]));
  const unknown = [...reasons.keys()].filter((test) => !TESTS.some(({ title }) => title === test));
  if (unknown.length > 0) throw new Error(`${name} deviates from tests that do not exist: ${unknown.join("; ")}`);
  describe(`${name} keeps the contract of ObjectStore`, () => {
    test("it claims what it is said to", async (t) => {
      const store = await create(t);
      const unclaimed = Object.entries(store.capabilities).flatMap(([capability, claimed]) =>
        claimed === true ? [] : [capability],
      );
      await store.close();
      assert.deepEqual(unclaimed.sort(), [...lacks].sort());
    });
    for (const { title, needs = [], without, run } of TESTS) {
      if ([needs].flat().some((capability) => lacks.includes(capability))) continue;
      if (without !== undefined && !lacks.includes(without)) continue;
      const reason = reasons.get(title);
      test(title, reason === undefined ? {} : { skip: reason }, async (t) => {
        const store = await create(t);
        try {
          await run(store, t);
        } finally {
          await store.close();
        }
      });
    }
  });
}
