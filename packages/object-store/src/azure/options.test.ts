import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { withCode } from "../contract/contract-test.ts";
import { isKey } from "../key.ts";
import { formatAzureUrl, parseAzureUrl, type AzureLocation } from "./options.ts";

const minimal = { kind: "az", account: "account1", container: "objects" } as const;

describe("an Azure store URL", () => {
  for (const [text, location] of [
    ["az://account1/objects", minimal],
    ["AZ://account1/objects", minimal],
    ["az://account1/objects/", minimal],
    ["az://account1/objects?", minimal],
    ["az://account1/objects/some/prefix", { ...minimal, prefix: "some/prefix" }],
    ["az://account1/objects/some/prefix/", { ...minimal, prefix: "some/prefix" }],
    ["az://account1/objects/a%20b/%C3%A9%3F", { ...minimal, prefix: "a b/é?" }],
    ["az://account1/objects/a+b", { ...minimal, prefix: "a+b" }],
    ["az://account1/objects?accessTier=Cool", { ...minimal, accessTier: "Cool" }],
    [
      "az://account1/objects/p?endpoint=http://127.0.0.1:10000/account1/&publicEndpoint=https%3A%2F%2Fcdn.example",
      {
        ...minimal,
        prefix: "p",
        endpoint: "http://127.0.0.1:10000/account1",
        publicEndpoint: "https://cdn.example",
      },
    ],
  ] as const) {
    it(`names what it says: ${text}`, () => assert.deepEqual(parseAzureUrl(text), location));
  }

  for (const [text, about] of [
    ["az:account1/objects", /write az:\/\/account\/container/],
    ["s3://bucket", /write az:\/\/account\/container/],
    ["az://account1/objects#part", /write az:\/\/account\/container/],
    ["az://", /the account "" is not 3 to 24/],
    ["az://ab/objects", /the account "ab" is not 3 to 24 lower-case letters and digits/],
    ["az://Account/objects", /the account "Account"/],
    ["az://account1:443/objects", /the account "account1:443"/],
    ["az://me@account1/objects", /the account "me@account1"/],
    ["az://account1", /the container "" is not 3 to 63/],
    ["az://account1/ab", /the container "ab"/],
    ["az://account1/Objects", /the container "Objects"/],
    ["az://account1/a--b", /the container "a--b"/],
    ["az://account1/-ab", /the container "-ab"/],
    [`az://account1/${"a".repeat(64)}`, /the container "a{64}"/],
    ["az://account1/$root", /the container/],
    ["az://account1/objects//", /the prefix "" is not an object key/],
    ["az://account1/objects/a//b", /the prefix "a\/\/b" is not an object key/],
    ["az://account1/objects/a/../b", /the prefix "a\/\.\.\/b" is not an object key/],
    ["az://account1/objects/%2e%2e/b", /the prefix "\.\.\/b" is not an object key/],
    ["az://account1/objects/100%", /the prefix has a % that begins no character/],
    ["az://account1/objects?region=x", /no parameter "region"; there are endpoint, publicEndpoint, accessTier/],
    ["az://account1/objects?endpoint=https://a&endpoint=https://b", /endpoint is given twice/],
    ["az://account1/objects?endpoint=", /endpoint is not http/],
    ["az://account1/objects?endpoint=ftp://a", /endpoint is not http/],
    ["az://account1/objects?endpoint=https://u:p@a", /endpoint is not http/],
    ["az://account1/objects?publicEndpoint=https://a?b", /publicEndpoint is not http/],
    ["az://account1/objects?accessTier=Archive", /no accessTier "Archive"; there are Hot, Cool, Cold/],
  ] as const) {
    it(`is refused with what is wrong: ${text}`, () => {
      assert.throws(
        () => parseAzureUrl(text),
        (error) => {
          withCode("invalid")(error);
          assert.ok(error instanceof Error);
          assert.ok(error.message.startsWith(JSON.stringify(text)), error.message);
          assert.match(error.message, about);
          return true;
        },
      );
    });
  }

  it("with a signature in it is refused without repeating that", () => {
    assert.throws(
      () => parseAzureUrl("az://account1/objects?sv=2024&sig=c2VjcmV0"),
      (error) => error instanceof Error && !error.message.includes("c2VjcmV0"),
    );
  });

  it("comes back from its own text, whatever is in it", () => {
    const text = (unit: string, minLength: number, maxLength: number) =>
      fc.string({ unit: fc.constantFrom(...unit.split("")), minLength, maxLength });
    const letters = "abcxyz019";
    const segment = fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 });
    const prefix = fc
      .array(fc.oneof(segment, text("%+&=#?/ .é~'", 1, 4)), { minLength: 1, maxLength: 4 })
      .map((segments) => segments.join("/"))
      .filter(isKey);
    const endpoint = fc
      .tuple(fc.constantFrom("http", "https"), fc.domain(), fc.nat({ max: 65_535 }), text(letters, 0, 8))
      .map(([scheme, host, port, path]) => `${scheme}://${host}:${port}${path === "" ? "" : `/${path}`}`);
    const location: fc.Arbitrary<AzureLocation> = fc.record(
      {
        kind: fc.constant("az"),
        account: text(letters, 3, 24),
        container: fc.array(text(letters, 1, 5), { minLength: 3, maxLength: 5 }).map((parts) => parts.join("-")),
        prefix,
        endpoint,
        publicEndpoint: endpoint,
        accessTier: fc.constantFrom("Hot", "Cool", "Cold"),
      },
      { requiredKeys: ["kind", "account", "container"], noNullPrototype: true },
    );
    fc.assert(
      fc.property(location, (location) => assert.deepEqual(parseAzureUrl(formatAzureUrl(location)), location)),
      { seed: 20_260_105, numRuns: 500 },
    );
  });
});
