import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { UserDelegationKey } from "@azure/storage-blob";
import { DelegationKeys } from "./signer.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);

/** Keys that know when they were lent, and for how long. */
function keysOf(t: TestContext): { keys: DelegationKeys; lent: UserDelegationKey[]; pass: (time: number) => void } {
  t.mock.timers.enable({ apis: ["Date"], now: START });
  const lent: UserDelegationKey[] = [];
  const keys = new DelegationKeys("account1", async (signedStartsOn, signedExpiresOn) => {
    const key = {
      signedObjectId: "object",
      signedTenantId: "tenant",
      signedStartsOn,
      signedExpiresOn,
      signedService: "b",
      signedVersion: "2024-11-04",
      value: String(lent.length),
    };
    lent.push(key);
    return key;
  });
  return { keys, lent, pass: (time) => t.mock.timers.setTime(Date.now() + time) };
}

const inTime = (time: number): Date => new Date(Date.now() + time);

describe("a key that an identity is lent", () => {
  it("is asked for within the seven days that Azure allows, whichever clock is ahead", async (t) => {
    const { keys, lent } = keysOf(t);
    await keys.until(inTime(MINUTE));
    const [key] = lent;
    assert.ok(key !== undefined);
    assert.ok(key.signedStartsOn.getTime() <= START - 5 * MINUTE);
    const expires = key.signedExpiresOn.getTime();
    assert.ok(expires > START + 6 * DAY && expires <= START + 7 * DAY - 5 * MINUTE);
  });

  it("is asked for once, also by many at once", async (t) => {
    const { keys, lent, pass } = keysOf(t);
    await Promise.all(Array.from({ length: 10 }, () => keys.until(inTime(MINUTE))));
    pass(5 * DAY);
    await keys.until(inTime(DAY));
    assert.equal(lent.length, 1);
  });

  it("is asked for anew before it would expire too early", async (t) => {
    const { keys, lent, pass } = keysOf(t);
    await keys.until(inTime(MINUTE));
    pass(6 * DAY);
    const key = await keys.until(inTime(DAY));
    assert.equal(lent.length, 2);
    assert.ok(key.signedExpiresOn >= inTime(DAY));
  });

  it("that was lent just now will do for the longest time too", async (t) => {
    const { keys, lent, pass } = keysOf(t);
    await keys.until(inTime(7 * DAY));
    pass(10 * MINUTE);
    await keys.until(inTime(7 * DAY));
    assert.equal(lent.length, 1);
    pass(10 * MINUTE);
    await keys.until(inTime(7 * DAY));
    assert.equal(lent.length, 2);
  });

  it("is asked for again after a refusal", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: START });
    let asked = 0;
    const keys = new DelegationKeys("account1", async () => {
      asked += 1;
      throw new Error("refused");
    });
    await assert.rejects(keys.until(inTime(MINUTE)), /refused/);
    await assert.rejects(keys.until(inTime(MINUTE)), /refused/);
    assert.equal(asked, 2);
  });
});
