import assert from "node:assert/strict";
import { test } from "node:test";
import { KEYS } from "./keys.ts";
import { nearest } from "./nearest.ts";

const paths = KEYS.map(({ path }) => path);

for (const [typed, meant] of [
  ["lisen", "listen"],
  ["Listen", "listen"],
  ["public_url", "publicUrl"],
  ["trusted-proxies", "trustedProxies"],
  ["limits.jsonbody", "limits.jsonBody"],
  ["drainTimeout", "limits.drainTimeout"],
  ["limits.workers", "workers"],
  ["log.lvl", "log.level"],
  ["max", "limits.maxConnections"],
] as const) {
  test(`${typed} is nearest to ${meant}`, () => assert.equal(nearest(typed, paths), meant));
}
