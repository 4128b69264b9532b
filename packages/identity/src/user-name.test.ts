import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isUserName, parseUserName } from "./user-name.ts";

describe("user names", () => {
  for (const name of ["alice", "A.b_c-9", "alice@example.com", "_", "@", "x".repeat(64)]) {
    it(`accepts ${name}`, () => {
      assert.equal(parseUserName(name), name);
      assert.equal(isUserName(name), true);
    });
  }

  for (const name of ["", "-x", "a b", "a:b", "a/b", "é", "a\n", "x".repeat(65), "x".repeat(10_000)]) {
    it(`refuses ${JSON.stringify(name.slice(0, 70))}`, () => {
      assert.throws(() => parseUserName(name), { code: "invalid", message: /is not a user name\. Use 1 to 64/ });
      assert.equal(isUserName(name), false);
    });
  }

  it("keeps `anonymous` for clients without credentials, in any case", () => {
    assert.throws(() => parseUserName("Anonymous"), { code: "invalid", message: /reserved/ });
    assert.equal(isUserName("anonymous"), false);
  });
});
