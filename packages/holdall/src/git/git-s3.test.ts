import assert from "node:assert/strict";
import { test } from "node:test";
import { asHoldall } from "./git-s3.ts";

const KNOWN: readonly (readonly [string, string])[] = [
  ["doctor origin", "repo doctor --repair -- origin"],
  ["doctor origin main", "repo doctor --repair -- origin"],
  [
    "doctor -d --lock-ttl 120 --delete-stale-locks origin main",
    "repo doctor --repair --delete-bundle --lock-ttl 120 -- origin",
  ],
  ["delete-branch s3://bucket/app old", "repo delete-branch -- s3://bucket/app old"],
  ["delete-branch origin old --yes", "repo delete-branch --yes -- origin old"],
  ["protect origin main", "repo protect -- origin main"],
  ["unprotect origin main", "repo unprotect -- origin main"],
];

for (const [theirs, ours] of KNOWN) {
  test(`git s3 ${theirs}`, () => {
    assert.deepEqual(asHoldall(theirs.split(" ")), ours.split(" "));
  });
}

test("what is no command line of git-s3 is none", () => {
  for (const text of ["", "doctor", "protect origin", "compact origin", "doctor --unknown origin"]) {
    assert.equal(asHoldall(text.split(" ").filter((word) => word !== "")), undefined, text);
  }
});
