import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256 } from "../support/content.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

// The layout in which a repository's name is part of the path on disk.
const server = await WireServer.start({ store: "fs", layout: "per-repository" });
after(() => server[Symbol.asyncDispose]());
const user = server.as();

const BYTES = Buffer.from("a small object");
const OID = sha256(BYTES);

await user.upload("team/app", BYTES);
// What an attacker would be after, beside the store's folder and in it.
await writeFile(join(server.folder, OID), "outside");
await writeFile(join(server.folder, "objects", OID), "in the store, but no object of a repository");

/** Ways out of the store, or into Holdall's own folder in it. */
const WAYS_OUT = [
  "..",
  "../..",
  "team/..",
  "team/../..",
  ".",
  "team/.",
  "%2e%2e",
  "%2E%2e/%2e%2E",
  ".%2e",
  "..%2f..",
  "..%5c..",
  "team%2f..",
  "%2fetc",
  "%5cetc",
  "/etc",
  "team%00",
  "..%00",
  "%c0%ae%c0%ae",
  "team/..git/x/..",
  "....//",
  ".holdall",
  ".holdall/tmp",
  "team/.holdall",
  "team/app/../../..",
  `${"a/".repeat(600)}a`,
  "%u002e%u002e",
];

for (const parent of WAYS_OUT) {
  test(`there is no way out of the store through the repository ${parent.slice(0, 30)}`, async () => {
    const before = await server.files();
    for (const suffix of ["", ".git/info/lfs", ".git", "/info/lfs"]) {
      const base = `/${parent}${suffix}`;
      refusal(404, await user.request("GET", `${base}/objects/${OID}`));
      refusal(404, await user.request("PUT", `${base}/objects/${OID}`, { body: BYTES }));
      refusal(404, await user.request("GET", `${base}/locks`));
    }
    assert.deepEqual(await server.files(), before);
  });
}

test("names that only look like a way out are repositories like any other, below the store's folder", async () => {
  for (const name of [
    "%252e%252e%252f",
    "a..b",
    "a...",
    "~",
    "%24HOME",
    "%2A",
    "%7Broot%7D",
    "-rf",
    "a%3Bb",
    "%27%22",
    ".github",
    "..%3B",
    "..x",
  ]) {
    const before = await server.files();

    const oid = await user.upload(name, Buffer.from(`for ${name}`));

    const added = (await server.files()).filter((file) => !before.includes(file));
    assert.deepEqual(added, [`objects/${decodeURIComponent(name)}/${oid}`]);
  }
});

const OIDS = [
  "..",
  "../..",
  "%2e%2e",
  "..%2f..%2fholdall.db",
  "%00",
  `${OID}%00`,
  `${OID}/..`,
  `..%2f${OID}`,
  OID.toUpperCase(),
  OID.slice(1),
  `${OID}0`,
  `${OID}.lock`,
  `%20${OID}`,
  `${OID}%0a`,
  "x".repeat(64),
  "%C3%A9".repeat(32),
  "batch%00",
  `${OID.slice(0, 63)}%67`,
];

for (const oid of OIDS) {
  test(`an oid that is none is refused before anything is looked up: ${oid.slice(0, 30)}`, async () => {
    const before = await server.files();

    refusal(404, await user.request("GET", `/team/app/objects/${oid}`));
    refusal(404, await user.request("PUT", `/team/app/objects/${oid}`, { body: BYTES }));
    const text = decodeURIComponent(oid);
    const entry = await user.ask("team/app", "upload", { oid: text, size: 1 });
    assert.equal(entry.error?.code, 422);
    assert.equal(entry.oid, text);
    refusal(400, await user.post("team/app/objects/verify", { oid: text, size: 1 }));

    assert.deepEqual(await server.files(), before);
  });
}

test("no lock's id reaches beyond the locks", async () => {
  for (const id of [
    "..",
    "%2e%2e",
    "..%2f..",
    "1%00",
    "0x1",
    "1e0",
    "-1",
    "+1",
    "01",
    "9".repeat(30),
    "1;DROP%20TABLE%20locks",
    "'",
  ]) {
    const { status } = await user.request("POST", `/team/app/locks/${id}/unlock`, {
      body: "{}",
      headers: { "Content-Type": "application/json" },
    });
    assert.equal(status, 404, id);
  }
});
