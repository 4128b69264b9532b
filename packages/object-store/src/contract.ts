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
import type { ObjectStore } from "./port.ts";

export interface ObjectStoreContract {
  /** Of the adapter or layer, as it is to appear in the report. */
  readonly name: string;
  /** Makes a new, empty store. What it needs beyond `close`, which the suite calls, goes with `t.after`. */
  readonly create: (t: TestContext) => ObjectStore | Promise<ObjectStore>;
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
 * Declares one test (of `node:test`) for each promise of the port. Tests of capabilities that the store does not claim
 * are skipped by name.
 * @throws Error when a deviation names no test, so that a list of deviations never outlives its reasons
 */
export function objectStoreContract({ name, create, deviations = [] }: ObjectStoreContract): void {
  const reasons = new Map(deviations.map(({ test, reason }) => [test, reason]));
  const unknown = [...reasons.keys()].filter((test) => !TESTS.some(({ title }) => title === test));
  if (unknown.length > 0) throw new Error(`${name} deviates from tests that do not exist: ${unknown.join("; ")}`);
  describe(`${name} keeps the contract of ObjectStore`, () => {
    for (const { title, needs, run } of TESTS) {
      const reason = reasons.get(title);
      test(title, reason === undefined ? {} : { skip: reason }, async (t) => {
        const store = await create(t);
        try {
          if (needs !== undefined && !store.capabilities[needs]) t.skip(`does not claim ${needs}`);
          else await run(store, t);
        } finally {
          await store.close();
        }
      });
    }
  });
}
