import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseAuthorization } from "./authorization.ts";

function basic(text: string | Uint8Array): string {
  return `Basic ${Buffer.from(text as string).toString("base64")}`;
}

describe("parseAuthorization", () => {
  it("reads the example of RFC 7617", () => {
    assert.deepEqual(parseAuthorization("Basic dGVzdDoxMjPCow=="), { scheme: "basic", user: "test", password: "123£" });
  });

  it("splits at the first colon and loses nothing on either side", () => {
    const user = fc.string({ unit: "grapheme" }).filter((text) => !text.includes(":"));
    fc.assert(
      fc.property(user, fc.string({ unit: "grapheme" }), (name, password) => {
        assert.deepEqual(parseAuthorization(basic(`${name}:${password}`)), { scheme: "basic", user: name, password });
      }),
      {
        seed: 4,
        examples: [
          ["alice", ":a:b:"],
          ["", ""],
          ["\ufeffa", "b"],
        ],
      },
    );
  });

  it("takes the scheme in any case and any number of spaces", () => {
    for (const header of ["basic YTpi", "BASIC   YTpi"]) {
      assert.deepEqual(parseAuthorization(header), { scheme: "basic", user: "a", password: "b" });
    }
    assert.deepEqual(parseAuthorization("bearer abc._~+/-="), { scheme: "bearer", token: "abc._~+/-=" });
  });

  for (const [what, header] of [
    ["nothing", ""],
    ["a scheme alone", "Basic"],
    ["a scheme and a space", "Bearer "],
    ["another scheme", "Negotiate YTpi"],
    ["no colon", basic("alice")],
    ["base64url in Basic", "Basic YTpi-_"],
    ["dots in Basic", "Basic YTpi.YTpi"],
    ["text that is not UTF-8", basic(Uint8Array.of(0x61, 0x3a, 0xe9))],
    ["two headers joined by a comma", "Basic YTpi, Basic YTpi"],
    ["parameters", 'Basic realm="x"'],
    ["something after the token", "Bearer abc def"],
  ] as const) {
    it(`finds ${what} malformed`, () => {
      assert.equal(parseAuthorization(header), undefined);
    });
  }
});
