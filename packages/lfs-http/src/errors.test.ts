import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { IdentityError } from "@holdall/identity";
import { LfsError, type LfsErrorCode } from "@holdall/lfs-service";
import { answerTo, BadRequestError, STATUS_OF } from "./errors.ts";
import { ClientGoneError } from "./receive-body.ts";

describe("docs/errors.md", async () => {
  const document = await readFile(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const rows = [...document.matchAll(/^\| `([\w-]+)` \| (\d{3}) \| \S.* \| \S.* \|$/gm)];

  test("has each code once, with the status that the server answers", () => {
    const documented = rows.map(([, code, status]) => `${code} ${status}`);
    const answered = Object.entries(STATUS_OF).map(([code, status]) => `${code} ${status}`);
    assert.deepEqual(documented.toSorted(), answered.toSorted());
  });

  test("has the codes in the order of their statuses, so that a reader finds one", () => {
    const statuses = rows.map(([, , status]) => Number(status));
    assert.deepEqual(
      statuses,
      statuses.toSorted((a, b) => a - b),
    );
  });
});

test("429 and 503 say when to come back: clients up to 3.5 crash at a 429 that does not", () => {
  for (const [code, status] of Object.entries(STATUS_OF)) {
    const { retryAfter } = answerTo(new LfsError(code as LfsErrorCode, "x"));
    assert.equal(retryAfter !== undefined, status === 429 || status === 503, code);
    if (retryAfter !== undefined) assert.ok(Number.isSafeInteger(retryAfter) && retryAfter > 0);
  }
});

test("when to come back after failed sign-ins is what identity says", () => {
  assert.equal(answerTo(new IdentityError("throttled", "x", { retryAfter: 17 })).retryAfter, 17);
});

test("an error that nobody expected says nothing about itself, and is for the operator to hear of", () => {
  const unexpected = [new TypeError("a secret"), new IdentityError("invalid", "a secret"), "a secret", undefined, null];
  for (const error of unexpected) {
    assert.deepEqual(answerTo(error), { status: 500, message: "the server failed", ours: true });
  }
});

test("what a client did is not logged as a failure of the server", () => {
  const errors = [new LfsError("wrong-body", "x"), new ClientGoneError("x"), new BadRequestError("x")];
  for (const error of errors) assert.deepEqual(answerTo(error), { status: 400, message: "x", ours: false });
});
