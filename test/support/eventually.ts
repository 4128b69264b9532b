import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT = 20_000;
const INTERVAL = 5;

/** Waits for what happens behind the server's back, such as the end of what a client that has gone left to be done. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + LIMIT;
  while (!(await check())) {
    assert.ok(Date.now() < end, `in vain waited ${LIMIT} ms until ${what}`);
    await sleep(INTERVAL);
  }
}
