import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACES } from "../support/cloud-stores.ts";
import { MultipartClient } from "../support/multipart-client.ts";
import { type SeededObject, seededObject } from "../support/seeded-objects.ts";
import { Server } from "../support/server.ts";

const MIB = 1024 ** 2;
const PART = 5 * MIB;

for (const [place, start] of Object.entries(PLACES)) {
  for (const transfer of ["proxy", "direct"] as const) {
    test(`${place}, ${transfer}: an upload in parts is interrupted, goes on, and is there`, async (t) => {
      const store = await start(t);
      if (store === undefined) return;
      const config = { ...(store.url === undefined ? {} : { store: store.url }), transfer, partSize: PART };
      const server = await Server.start(t, { config, env: store.env });
      const client = new MultipartClient(server.lfsUrl("team/app"));
      const reader = server.user();
      const mustHave = async ({ oid, size, bytes }: SeededObject): Promise<void> => {
        const action = (await reader.ask("team/app", "download", { oid, size })).actions?.download ?? assert.fail();
        const answer = await fetch(action.href, { headers: { ...action.header } });
        assert.equal(answer.status, 200);
        assert.ok(bytes.equals(new Uint8Array(await answer.arrayBuffer())), "the bytes are those that were sent");
      };
      const large = seededObject(1, 4 * PART + 1);
      const asked = { oid: large.oid, size: large.size };

      const interrupted = client.upload(large, (_, nth) => {
        if (nth === 2) throw new Error("the line is cut");
      });
      await assert.rejects(interrupted, /the line is cut/);
      assert.equal((await reader.askBatch("team/app", "download", [asked])).status, 404, "nothing is there yet");
      assert.deepEqual(await client.upload(large), [PART, PART, 1], "what has come is not sent again");
      await mustHave(large);
      assert.equal((await client.batch(large)).objects[0]?.actions, undefined, "there is nothing more to do");

      // Directly, the server sees nothing of the bytes where the store signs requests for parts.
      const through = server.logged(
        ({ method, path }) => method === "PUT" && path?.includes("/upload/parts/") === true,
      );
      assert.equal(through.length, transfer === "proxy" || store.url === undefined ? 5 : 0);

      const small = seededObject(2, 100_000);
      assert.equal((await client.batch(small)).transfer, "basic", "small objects go as every client sends them");
      const mixed = await client.batch(small, seededObject(3, 4 * PART));
      assert.equal(mixed.transfer, "multipart-basic", "one way for all of a batch");
      assert.deepEqual(
        mixed.objects.map(({ actions }) => actions?.parts?.map(({ pos, size }) => [pos, size])),
        [[[0, 100_000]], [0, 1, 2, 3].map((nth) => [nth * PART, PART])],
      );
      assert.deepEqual(
        await new MultipartClient(server.lfsUrl("team/app"), ["multipart-basic"]).upload(small),
        [100_000],
      );
      await mustHave(small);
    });
  }
}
