import assert from "node:assert/strict";
import { test } from "node:test";
import { MetadataError, type MetadataErrorCode } from "@holdall/metadata";
import { StorageError, type StorageErrorCode } from "@holdall/object-store";
import { LfsError, toLfsError } from "./errors.ts";

const PLACE = "/var/lib/holdall/objects";

const OF_STORE: Readonly<Record<StorageErrorCode, string>> = {
  "not-found": "failed",
  denied: "failed",
  conflict: "busy",
  throttled: "busy",
  corrupt: "failed",
  unsupported: "failed",
  invalid: "failed",
  unavailable: "unavailable",
  full: "full",
};

const OF_DATABASE: Readonly<Record<Exclude<MetadataErrorCode, "invalid">, string>> = {
  conflict: "failed",
  "not-found": "failed",
  busy: "busy",
  full: "full",
  "read-only": "unavailable",
  corrupt: "failed",
  "newer-schema": "unavailable",
  unavailable: "unavailable",
};

const FAILURES = [
  ...Object.entries(OF_STORE).map(([code, to]) => [new StorageError(code as StorageErrorCode, PLACE), to] as const),
  ...Object.entries(OF_DATABASE).map(
    ([code, to]) => [new MetadataError(code as MetadataErrorCode, PLACE), to] as const,
  ),
];

for (const [error, code] of FAILURES) {
  test(`${error.name} ${error.code} is ${code} to a client, who learns no place inside the server`, () => {
    const known = toLfsError(error);

    assert.equal(known?.code, code);
    assert.doesNotMatch(known.message, /var/);
    assert.match(known.message, /^the (store|database) .+: .+/, "what it was, and what to do");
    assert.equal(known.cause, error, "the log has it");
  });
}

test("what a caller did wrong is told as it is", () => {
  assert.equal(toLfsError(new MetadataError("invalid", '"x" is no cursor'))?.message, '"x" is no cursor');
});

test("errors of our own pass, and others are none of ours", () => {
  const own = new LfsError("locked", "x");
  assert.equal(toLfsError(own), own);
  for (const error of [new Error("x"), "x", undefined, { code: "full" }]) assert.equal(toLfsError(error), undefined);
});
