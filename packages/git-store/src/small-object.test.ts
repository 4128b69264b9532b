import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyLayer, MemoryStore } from "@holdall/object-store";
import { state } from "../test/author.ts";
import { MANIFEST_KEY } from "./keys.ts";
import { formatManifest, parseManifest } from "./manifest.ts";
import { readSmall } from "./small-object.ts";

test("a manifest in another encoding is none", () => {
  const text = formatManifest(state({ refs: new Map([["refs/heads/bx", { oid: "1".repeat(40) }]]) }));
  const bytes = Buffer.from(text);
  bytes[bytes.indexOf("bx") + 1] = 0xe4;
  assert.throws(() => parseManifest(bytes), { code: "corrupt" });
});

test("an object that is larger than any manifest is not read", async () => {
  let returned = false;
  const huge = new FaultyLayer(new MemoryStore(), () => undefined);
  huge.get = async (key) => ({
    key,
    size: 2 ** 40,
    etag: "",
    modifiedAt: new Date(),
    range: { start: 0, length: 2 ** 40 },
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () => assert.fail("nothing is read"),
        return: async () => ((returned = true), { done: true, value: undefined }),
      }),
    },
  });
  await assert.rejects(readSmall(huge, MANIFEST_KEY), { code: "corrupt" });
  assert.ok(returned, "it is given back");
});
