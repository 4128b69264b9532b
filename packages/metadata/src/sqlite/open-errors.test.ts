import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, it } from "node:test";
import { getSystemErrorName } from "node:util";
import { errnoOf, openError } from "./open-errors.ts";

/** As Node makes it: the code is libuv's name for the number, or a few words where it has none. */
function systemError(name: keyof typeof constants.errno): Error {
  const errno = -constants.errno[name];
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: so it says, open`), { errno, code, syscall: "open" });
}

describe("a database that the operating system refuses", () => {
  for (const [name, code, todo] of [
    ["EACCES", "read-only", /make the file and its folder writable/],
    ["EPERM", "read-only", /make the file and its folder writable/],
    ["EROFS", "read-only", /mounted read-only/],
    ["ENOENT", "unavailable", /no such folder; create it/],
    ["ENOTDIR", "unavailable", /its folder is a file; name another/],
    ["ENOSPC", "full", /disk is full; free or add space/],
    ["EDQUOT", "full", /disk quota is used up; raise it or free space/],
    ["EMFILE", "unavailable", /cannot be opened/],
  ] as const) {
    it(`is ${code} at ${name}, and the message names the file and says what to do`, () => {
      const cause = systemError(name);
      const error = openError("/data/m.db", cause);
      assert.equal(error.code, code);
      assert.match(error.message, todo);
      assert.ok(error.message.startsWith("/data/m.db ") && error.message.endsWith(` (${name})`), error.message);
      assert.equal(error.cause, cause);
    });
  }

  it("is not known by what another error says", () => {
    assert.equal(errnoOf(new Error("ENOENT")), undefined);
    assert.equal(openError("/data/m.db", new Error("no")).code, "unavailable");
  });
});
