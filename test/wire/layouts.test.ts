import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { LAYOUTS } from "@holdall/lfs-protocol";
import { sha256 } from "../support/content.ts";
import { refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const BYTES = Buffer.from("a small object");
const OID = sha256(BYTES);

/** The longest name with a key of 1,024 bytes for each object, `<repository>/<oid>`. */
const LONGEST = `${"a".repeat(200)}/`.repeat(4) + "a".repeat(1024 - 65 - 4 * 201);

/** Names under which the layout per-repository keeps nothing, each with why. */
const NO_PLACE: ReadonlyArray<readonly [name: string, why: RegExp]> = [
  [`${LONGEST}a`, /name is too long.*959 bytes/],
  [`team/app/${OID}`, /name is an oid/],
  [`team/app/${OID}/more`, /name is an oid/],
];

for (const layout of LAYOUTS) {
  test(`what is uploaded is there in the layout ${layout}`, async () => {
    await using server = await WireServer.start({ store: "fs", layout });
    const user = server.as();
    for (const name of ["app", "team/app", LONGEST, OID, `${OID}/app`]) {
      const oid = await user.upload(name, BYTES);
      assert.deepEqual((await user.download(name, { oid })).body, BYTES);
    }
  });
}

test("a repository that the layout has no place for is told so in the batch, and by the upload", async () => {
  await using server = await WireServer.start({ store: "fs", layout: "per-repository" });
  const user = server.as();
  for (const [name, why] of NO_PLACE) {
    const { error, actions } = await user.ask(name, "upload", { oid: OID, size: BYTES.length });
    assert.equal(error?.code, 422);
    assert.match(error.message, why);
    assert.equal(actions, undefined);

    const { message: said } = refusal(400, await user.request("PUT", `/${name}/objects/${OID}`, { body: BYTES }));
    assert.equal(said, error.message);
  }
  assert.deepEqual(await server.stored(), []);

  await user.upload("team/app", BYTES);
  await user.lock(`team/app/${OID}`, "a file");
});

test("names that one layout has no place for are names like any other in the rest", async () => {
  for (const layout of LAYOUTS) {
    if (layout === "per-repository") continue;
    await using server = await WireServer.start({ store: "fs", layout });
    for (const [name] of NO_PLACE) await server.as().upload(name, BYTES);
  }
});

test("a place in the store that something else has taken is the operator's to hear of, and no client's", async () => {
  await using server = await WireServer.start({ store: "fs", layout: "per-repository" });
  const user = server.as();
  const place = join(server.folder, "objects/team/app", OID);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, "a file"), "of another program");

  const { message: said, request_id: id } = refusal(500, await user.tryUpload("team/app", BYTES));

  assert.equal(said, "the store failed: tell the server's operator");
  const line = server.log.find((each) => each.includes(id) && each.includes('"level":50'));
  assert.match(line ?? "", new RegExp(`team/app/${OID}`));
});
