import assert from "node:assert/strict";
import { test } from "node:test";
import { LAYOUTS, objectPath, parseOid, parseRepositoryName, type Oid, type RepositoryName } from "./index.ts";

test("a repository is named by segments, and .git at the end changes nothing", () => {
  assert.equal(parseRepositoryName("app"), "app");
  assert.equal(parseRepositoryName("team/app.git"), "team/app");
  assert.equal(parseRepositoryName("a/b/c/Größe und mehr.git"), "a/b/c/Größe und mehr");
  assert.equal(parseRepositoryName("team.git/app"), "team.git/app");
  assert.equal(parseRepositoryName("team/.github.git"), "team/.github");
  assert.equal(parseRepositoryName(".dotfiles"), ".dotfiles");
});

const refused = [
  "",
  "/",
  ".git",
  "/app",
  "app/",
  "a//b",
  "..",
  "a/../b",
  "./a",
  "...",
  ".holdall",
  "a/.Holdall/b",
  "a/.git",
  " a",
  "a /b",
  "a\\b",
  "a\0b",
];
for (const text of [
  ...refused,
  "a\nb",
  "a\u0085b",
  "\ud800",
  "a".repeat(201),
  "é".repeat(101),
  "a/".repeat(512) + "a",
]) {
  test(`${JSON.stringify(text.slice(0, 20))} (${text.length} characters) names no repository`, () => {
    assert.equal(parseRepositoryName(text), undefined);
  });
}

test("an oid is 64 lower-case hexadecimal digits and nothing else", () => {
  const oid = "a1".repeat(32);
  assert.equal(parseOid(oid), oid);
  for (const other of [
    oid.toUpperCase(),
    oid.slice(1),
    `${oid}0`,
    `${oid}\n`,
    ` ${oid}`,
    "../".repeat(21) + "a",
    7,
    null,
    [oid],
  ]) {
    assert.equal(parseOid(other), undefined);
  }
});

test("each layout puts an object where the tools it comes from look for it", () => {
  const oid = parseOid(`abcdef${"0".repeat(58)}`) as Oid;
  const repository = parseRepositoryName("org/team/app") as RepositoryName;
  const expected = {
    shared: `objects/ab/cd/${oid}`,
    "per-repository": `org/team/app/${oid}`,
    flat: `lfs/${oid}`,
    sharded: `lfs/objects/ab/cd/${oid}`,
  };
  for (const layout of LAYOUTS) assert.equal(objectPath(layout, repository, oid), expected[layout]);
});
