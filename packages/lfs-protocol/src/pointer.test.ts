import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  EMPTY_OID,
  formatPointer,
  MAX_POINTER_BYTES,
  parseOid,
  parsePointer,
  type Oid,
  type Pointer,
} from "./index.ts";

const OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393" as Oid;
const CANONICAL = `version https://git-lfs.github.com/spec/v1\noid sha256:${OID}\nsize 12345\n`;

const parse = (text: string): Pointer | undefined => parsePointer(new TextEncoder().encode(text));

test("the pointer of the specification is read and written byte for byte", () => {
  assert.deepEqual(parse(CANONICAL), { oid: OID, size: 12345, extensions: [], canonical: true });
  assert.equal(formatPointer({ oid: OID, size: 12345, extensions: [] }), CANONICAL);
});

test("an empty file is the pointer to the empty object", () => {
  assert.deepEqual(parse(""), { oid: EMPTY_OID, size: 0, extensions: [], canonical: true });
  assert.equal(formatPointer({ oid: EMPTY_OID, size: 0, extensions: [] }), "");
  assert.equal(
    parse(`version https://git-lfs.github.com/spec/v1\noid sha256:${EMPTY_OID}\nsize 0\n`)?.canonical,
    false,
  );
});

test("extensions are read in ascending priority", () => {
  const text = `version https://git-lfs.github.com/spec/v1\next-1-b sha256:${OID}\next-0-a sha256:${OID}\noid sha256:${OID}\nsize 1\n`;
  const pointer = parse(text);
  assert.deepEqual(
    pointer?.extensions.map(({ name, priority }) => [priority, name]),
    [
      [0, "a"],
      [1, "b"],
    ],
  );
  assert.equal(pointer?.canonical, false);
});

const tolerated: Record<string, string> = {
  "CRLF line ends": CANONICAL.replaceAll("\n", "\r\n"),
  "no last newline": CANONICAL.trimEnd(),
  "trailing blanks": CANONICAL.replace("12345", "12345  "),
  "a blank line": CANONICAL.replace("\noid", "\n\noid"),
  "the hawser version": CANONICAL.replace("git-lfs.github", "hawser.github"),
  "the git-media version": CANONICAL.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"),
};
for (const [what, text] of Object.entries(tolerated)) {
  test(`a pointer with ${what} is read, and known not to be canonical`, () => {
    assert.deepEqual(parse(text), { oid: OID, size: 12345, extensions: [], canonical: false });
  });
}

const refused: Record<string, string> = {
  "another version": CANONICAL.replace("v1", "v9"),
  "an upper-case oid": CANONICAL.replace(OID, OID.toUpperCase()),
  "another hash": CANONICAL.replace("sha256", "sha512"),
  "a negative size": CANONICAL.replace("12345", "-1"),
  "a size past 2^53": CANONICAL.replace("12345", "9007199254740993"),
  "a size that is no number": CANONICAL.replace("12345", "12e3"),
  "size before oid": `version https://git-lfs.github.com/spec/v1\nsize 12345\noid sha256:${OID}\n`,
  "a line after size": `${CANONICAL}x y\n`,
  "an unknown key": CANONICAL.replace("oid", `zed 1\noid`),
  "two extensions of one priority": CANONICAL.replace("oid", `ext-0-a sha256:${OID}\next-0-b sha256:${OID}\noid`),
  "no version": CANONICAL.slice(CANONICAL.indexOf("\n") + 1),
  "1,024 bytes": CANONICAL + "\n".repeat(MAX_POINTER_BYTES - CANONICAL.length),
};
for (const [what, text] of Object.entries(refused)) {
  test(`a file with ${what} is not a pointer`, () => {
    assert.equal(parse(text), undefined);
  });
}

test("any bytes are read as a pointer or refused, never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1100 }), (bytes) => {
      parsePointer(bytes);
    }),
    { seed: 1 },
  );
});

test("every pointer survives being written and read", () => {
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
  const oid = hex.map((digits) => parseOid(digits) ?? EMPTY_OID);
  const extensions = fc.uniqueArray(
    fc.record({ name: fc.stringMatching(/^[a-z_0-9]{1,8}$/), priority: fc.nat(9), oid }, { noNullPrototype: true }),
    {
      selector: ({ priority }) => priority,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(oid, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), extensions, (oid, size, extensions) => {
      const sorted = extensions.toSorted((a, b) => a.priority - b.priority);
      assert.deepEqual(parse(formatPointer({ oid, size, extensions: sorted })), {
        oid,
        size,
        extensions: sorted,
        canonical: true,
      });
    }),
    { seed: 2 },
  );
});
