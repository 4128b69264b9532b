import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { MemoryStore } from "@holdall/object-store";
import { createLogger } from "../log.ts";
import { keepHouse } from "./storage.ts";

const HOUR = 3_600_000;

/** Counts its sweeps, of which each removes two leftovers, and fails where it is told to. */
class CountedSweeps extends MemoryStore {
  sweeps = 0;
  readonly failing = new Set<number>();

  override async sweep(): Promise<number> {
    this.sweeps += 1;
    if (this.failing.has(this.sweeps)) throw new Error("the disk is gone");
    return 2;
  }
}

/** Knows of no uploads. */
const metadata = { uploads: { async *list() {}, remove: async () => false } };

/** The promises of sweeps that have begun have settled by then: they wait for nothing outside. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("what unfinished uploads left behind is removed at the start and every hour, until the server stops", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const store = new CountedSweeps();
  const log = new PassThrough();
  const logger = createLogger({ level: "info", format: "json" }, log);

  const housekeeping = await keepHouse({ store, metadata }, { logger, actionLifetime: HOUR });
  assert.equal(store.sweeps, 1, "the first is over when the server starts");
  t.mock.timers.tick(HOUR - 1);
  assert.equal(store.sweeps, 1);
  t.mock.timers.tick(1);
  assert.equal(store.sweeps, 2);
  await settled();

  store.failing.add(3);
  t.mock.timers.tick(HOUR);
  t.mock.timers.tick(HOUR);
  assert.equal(store.sweeps, 4, "one that fails is not the last");

  housekeeping[Symbol.dispose]();
  t.mock.timers.tick(10 * HOUR);
  assert.equal(store.sweeps, 4);

  await settled();
  const lines = String(log.read()).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
    [
      "removed what unfinished uploads had left behind",
      "removed what unfinished uploads had left behind",
      "could not remove all that unfinished uploads have left behind",
      "removed what unfinished uploads had left behind",
    ],
  );
});

test("a server starts although the first sweep fails", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const store = new CountedSweeps();
  store.failing.add(1);
  using _ = await keepHouse(
    { store, metadata },
    {
      logger: createLogger({ level: "silent", format: "json" }, new PassThrough()),
      actionLifetime: HOUR,
    },
  );
  t.mock.timers.tick(HOUR);
  assert.equal(store.sweeps, 2);
});
