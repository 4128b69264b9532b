import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { GitStoreError, type GitStoreErrorCode } from "./errors.ts";
import { formatManifest, parseManifest, type Manifest } from "./manifest.ts";

const OID = "8d3c".repeat(10);
const PACK = { name: `pack-${OID}`, size: 100, indexSize: 50, objects: 3, at: new Date(1000) };

const SOME: Manifest = {
  objectFormat: "sha1",
  generation: 17,
  transaction: randomUUID(),
  parent: randomUUID(),
  at: new Date("2026-11-21T12:00:00.123Z"),
  head: "refs/heads/main",
  refs: new Map([
    ["refs/heads/main", { oid: OID }],
    ["refs/tags/v1", { oid: "1".repeat(40), peeled: OID }],
  ]),
  packs: [PACK],
  retired: [{ name: `pack-${"2".repeat(40)}`, at: new Date(5) }],
  deleting: [`pack-${"3".repeat(40)}`],
  rules: [{ refs: "refs/heads/**", deny: ["force", "delete"] }],
  log: [
    {
      generation: 17,
      transaction: randomUUID(),
      parent: undefined,
      at: new Date(7),
      what: "push",
      by: "Ada <ada@example.org>",
      updates: [{ ref: "refs/heads/main", to: OID }],
    },
  ],
};

const withCode = (code: GitStoreErrorCode) => (error: unknown) => error instanceof GitStoreError && error.code === code;

test("a manifest is read as it was written", () => {
  assert.deepEqual(parseManifest(formatManifest(SOME)), SOME);
  const first = {
    ...SOME,
    parent: undefined,
    refs: new Map(),
    packs: [],
    retired: [],
    deleting: [],
    rules: [],
    log: [],
  };
  assert.deepEqual(parseManifest(formatManifest(first)), first);
  const sha256: Manifest = {
    ...first,
    objectFormat: "sha256",
    refs: new Map([["refs/heads/main", { oid: "ab".repeat(32) }]]),
    packs: [{ ...PACK, name: `pack-${"cd".repeat(32)}` }],
  };
  assert.deepEqual(parseManifest(formatManifest(sha256)), sha256);
});

test("refs are written in the order of their bytes, whatever they are called", () => {
  const names = [
    "refs/heads/\u{1f600}",
    "refs/heads/\uffee",
    "refs/heads/b",
    "refs/heads/a-b",
    "refs/heads/10",
    "refs/heads/9",
  ];
  const refs = new Map([...names, "refs/heads/__proto__"].map((name) => [name, { oid: OID }]));
  const read = parseManifest(formatManifest({ ...SOME, refs }));
  assert.deepEqual(
    [...read.refs.keys()],
    [...refs.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
});

test("10,000 branches fit into 1 MiB", () => {
  const refs = new Map(
    Array.from({ length: 10_000 }, (_, index) => [`refs/heads/topic/branch-${index}`, { oid: OID }]),
  );
  assert.ok(formatManifest({ ...SOME, refs }).length < 1024 ** 2);
});

/** What JSON says, with something else in one place. */
function changed(path: readonly (string | number)[], value: unknown): Buffer {
  const json: unknown = JSON.parse(formatManifest(SOME).toString());
  let at: unknown = json;
  for (const part of path.slice(0, -1)) at = Reflect.get(Object(at), part);
  Reflect.set(Object(at), path.at(-1) ?? "", value);
  return Buffer.from(JSON.stringify(json));
}

for (const [path, value] of [
  [["format"], "something else"],
  [["version"], "1"],
  [["version"], 0],
  [["objectFormat"], "md5"],
  [["generation"], -1],
  [["generation"], 1.5],
  [["transaction"], "../../secret"],
  [["parent"], 7],
  [["at"], "yesterday"],
  [["head"], "main"],
  [["head"], "refs/heads/../x"],
  [["refs"], []],
  [["refs", "refs/heads/a\nb"], OID],
  [["refs", "refs/../x"], OID],
  [["refs", "HEAD"], OID],
  [["refs", "refs/heads/main"], "short"],
  [["refs", "refs/heads/main"], `${OID} ${OID} ${OID}`],
  [["refs", "refs/heads/main"], `${OID} `],
  [["refs", "refs/heads/main"], "ab".repeat(32)],
  [["refs", "refs/heads/main"], null],
  [["packs"], {}],
  [["packs", 0, "name"], "../../etc/passwd"],
  [["packs", 0, "name"], `pack-${OID}/..`],
  [["packs", 0, "name"], `pack-${"ab".repeat(32)}`],
  [["packs", 0, "size"], "100"],
  [["packs", 0, "objects"], 2 ** 53],
  [["retired", 0, "name"], "pack-"],
  [["deleting", 0], "../x"],
  [["rules", 0, "refs"], "main"],
  [["rules", 0, "deny"], "force"],
] as const) {
  test(`a manifest with ${path.join(".")} = ${JSON.stringify(value)} is refused`, () => {
    assert.throws(() => parseManifest(changed(path, value)), withCode("corrupt"));
  });
}

test("what a later version wrote is not guessed at", () => {
  assert.throws(() => parseManifest(changed(["version"], 2)), withCode("newer-format"));
  assert.throws(() => parseManifest(changed(["rules", 0, "deny"], ["rewrite"])), withCode("newer-format"));
  assert.deepEqual(parseManifest(changed(["hints"], { anything: 1 })), SOME, "what it added beside is left alone");
});

test("bytes that are no manifest are refused, whatever they are", () => {
  const good = formatManifest(SOME);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
        fc.nat(good.length - 2).map((cut) => good.subarray(0, cut)),
      ),
      (bytes) => {
        assert.throws(() => parseManifest(bytes), withCode("corrupt"));
      },
    ),
    { seed: 2 },
  );
});
