import assert from "node:assert/strict";
import { test } from "node:test";
import { being, collect } from "../contract/contract-test.ts";
import { ahead } from "./ahead.ts";

/** Work that ends when it is told to. */
class Works {
  readonly begun: number[] = [];
  readonly #ends = new Map<number, PromiseWithResolvers<string>>();

  readonly work = (item: number): Promise<string> => {
    this.begun.push(item);
    return this.#end(item).promise;
  };

  end(...items: readonly number[]): void {
    for (const item of items) this.#end(item).resolve(`done ${item}`);
  }

  fail(item: number, error: unknown): void {
    this.#end(item).reject(error);
  }

  #end(item: number): PromiseWithResolvers<string> {
    const end = this.#ends.get(item) ?? Promise.withResolvers<string>();
    this.#ends.set(item, end);
    return end;
  }
}

const ITEMS = [0, 1, 2, 3, 4, 5, 6, 7];

/** Everything that can go on without an event has done so. */
function idle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("works on as many items at once as it may, and gives the results in the order of the items", async () => {
  const works = new Works();
  const results = ahead(ITEMS, 3, works.work);

  const first = results.next();
  await idle();
  assert.deepEqual(works.begun, [0, 1, 2]);
  works.end(2, 1);
  await idle();
  assert.deepEqual(works.begun, [0, 1, 2], "no further ahead than that");
  works.end(0);
  assert.equal((await first).value, "done 0");
  works.end(...ITEMS);
  assert.deepEqual(
    await collect(results),
    ITEMS.slice(1).map((item) => `done ${item}`),
  );
});

test("waits for its consumer", async () => {
  const works = new Works();
  works.end(...ITEMS);
  const results = ahead(ITEMS, 3, works.work);
  await results.next();
  await idle();
  assert.deepEqual(works.begun, [0, 1, 2]);
  await results.next();
  await idle();
  assert.deepEqual(works.begun, [0, 1, 2, 3]);
});

test("fails where its work failed, after the results before, and when nothing is under way any more", async () => {
  const works = new Works();
  const error = new Error("the work's own");
  const results = ahead(ITEMS, 3, works.work);
  works.end(0);
  assert.equal((await results.next()).value, "done 0");
  works.fail(1, error);
  let over = false;
  const failed = assert.rejects(results.next(), being(error)).then(() => (over = true));
  await idle();
  assert.equal(over, false, "the third and the fourth are under way");
  works.end(2, 3);
  await failed;
});

test("left early, it ends when nothing is under way any more, whatever becomes of that", async () => {
  const works = new Works();
  const results = ahead(ITEMS, 3, works.work);
  works.end(0);
  await results.next();
  let over = false;
  const left = results.return(undefined).then(() => (over = true));
  await idle();
  assert.equal(over, false);
  works.fail(1, new Error("nobody is interested"));
  works.end(2);
  await left;
  assert.deepEqual(works.begun, [0, 1, 2]);
});
