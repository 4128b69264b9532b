import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { KEYS } from "./keys.ts";
import { fits } from "./values.ts";

const TEXTS = ["", "x", "shared", "auto", "info", "30s", "30", "4MiB", "4 MiB", "a".repeat(31), "a".repeat(32), "${X}"];
const NUMBERS = [0, 1, 64, 65, 1000, 1001, -1, 1.5, 2 ** 53, Number.NaN];
const SAMPLES: readonly unknown[] = [...TEXTS, ...NUMBERS, true, false, null, undefined, [], ["x"], {}];

for (const { path, schema } of KEYS.filter((key) => !Type.IsArray(key.schema))) {
  test(`${path} takes the values that its schema allows, as TypeBox sees it`, () => {
    for (const sample of SAMPLES)
      assert.equal(fits(schema, sample), Value.Check(schema, sample), JSON.stringify(sample));
  });
}
