import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isBusy, sqliteError, toFailure } from "./errors.ts";

describe("the table of SQLite's results", () => {
  for (const [errcode, code] of [
    [5, "busy"],
    [261, "busy"],
    [8, "read-only"],
    [1032, "read-only"],
    [10, "unavailable"],
    [778, "unavailable"],
    [1034, "unavailable"],
    [4874, "full"],
    [11, "corrupt"],
    [267, "corrupt"],
    [13, "full"],
    [14, "unavailable"],
    [275, "invalid"],
    [787, "not-found"],
    [1555, "conflict"],
    [2067, "conflict"],
    [26, "corrupt"],
    [1, "unavailable"],
    [undefined, "invalid"],
  ] as const) {
    it(`turns ${errcode} into ${code}, naming the file and keeping SQLite's words`, () => {
      const error = sqliteError("/data/m.db", { errcode, message: "SQLite's words" });
      assert.equal(error.code, code);
      assert.match(error.message, /^\/data\/m\.db .*SQLite's words/);
      assert.match(String(error.cause), /SQLite's words/);
    });
  }

  it("says of a write that failed what it may have been: SQLite does not tell a quota from a damaged disk", () => {
    const { message } = sqliteError("/data/m.db", { errcode: 778, message: "disk I/O error" });
    assert.match(message, /quota.*system log/);
  });

  it("knows what only needs patience", () => {
    assert.equal(isBusy({ errcode: 517, message: "" }), true);
    assert.equal(isBusy({ errcode: 6, message: "" }), false);
    assert.equal(isBusy(toFailure(new TypeError("no code"))), false);
  });
});
