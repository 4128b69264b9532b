import assert from "node:assert/strict";
import fc from "fast-check";
import { isKey, parseKey } from "../key.ts";
import { bytesOf, forEachLimited, listKeys, putBytes, type ContractTest } from "./contract-test.ts";

/** What the order of keys is defined by. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Neighbours of the slash, of each other, and those whose UTF-16 sorts otherwise than their UTF-8. */
const UNITS = ["a", "b", "-", ".", "0", " ", "!", "~", "é", "\ud7ff", "\ue000", "\uffee", "\u{10000}", "\u{1f600}"];
const segment = fc.string({ unit: fc.constantFrom(...UNITS), minLength: 1, maxLength: 3 });
const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"));

/** Without those that lie below another, which a folder cannot hold. */
const names = fc
  .uniqueArray(name.filter(isKey), { minLength: 1, maxLength: 30 })
  .map((all) => all.filter((name) => !all.some((other) => name.startsWith(`${other}/`))));

export const listingTests: readonly ContractTest[] = [
  {
    title: "an empty store lists nothing",
    run: async (store) => {
      assert.deepEqual(await listKeys(store), []);
      assert.deepEqual(await listKeys(store, "objects/"), []);
    },
  },
  {
    title: "the neighbours of a slash come in the order of bytes",
    run: async (store) => {
      const expected = [
        "a!",
        "a-",
        "a-/x",
        "a.",
        "a.b",
        "a/-",
        "a/.b",
        "a/b-c",
        "a/b.c",
        "a/b/c",
        "a/b0",
        "a0",
        "aa",
      ].filter((name) => name !== "a-");
      await forEachLimited(expected.toReversed(), 4, (name) => putBytes(store, parseKey(name), bytesOf(1, 1)));
      assert.deepEqual(await listKeys(store), expected);
    },
  },
  {
    title: "any keys are listed in the order of their bytes, below any prefix and after any key",
    run: async (store) => {
      const cut = fc.nat({ max: 8 });
      await fc.assert(
        fc.asyncProperty(names, cut, fc.nat(), cut, async (names, prefixLength, which, afterLength) => {
          for (const key of await listKeys(store)) await store.delete(parseKey(key));
          await forEachLimited(names, 4, (name) => putBytes(store, parseKey(name), bytesOf(1, 1)));
          const sorted = names.toSorted(byBytes);
          assert.deepEqual(await listKeys(store), sorted);
          const chosen = names[which % names.length] ?? "";
          const prefix = Array.from(chosen).slice(0, prefixLength).join("");
          const below = sorted.filter((name) => name.startsWith(prefix));
          assert.deepEqual(await listKeys(store, prefix), below);
          for (const after of [chosen, Array.from(chosen).slice(0, afterLength).join(""), `${chosen}/`]) {
            const later = below.filter((name) => byBytes(name, after) > 0);
            assert.deepEqual(await listKeys(store, prefix, after), later);
          }
        }),
        { seed: 20_260_102, numRuns: 15 },
      );
    },
  },
  {
    title: "a prefix need not end with a segment",
    run: async (store) => {
      for (const name of ["objects/aa/1", "objects/aa/2", "objects/ab/1", "objects-old/1", "other"]) {
        await putBytes(store, parseKey(name), bytesOf(1, 1));
      }
      assert.deepEqual(await listKeys(store, "obj"), ["objects-old/1", "objects/aa/1", "objects/aa/2", "objects/ab/1"]);
      assert.deepEqual(await listKeys(store, "objects/a"), ["objects/aa/1", "objects/aa/2", "objects/ab/1"]);
      assert.deepEqual(await listKeys(store, "objects/aa"), ["objects/aa/1", "objects/aa/2"]);
      assert.deepEqual(await listKeys(store, "objects/aa/"), ["objects/aa/1", "objects/aa/2"]);
      assert.deepEqual(await listKeys(store, "objects/aa/2"), ["objects/aa/2"]);
      assert.deepEqual(await listKeys(store, "objects/aa/2/"), []);
      assert.deepEqual(await listKeys(store, "x"), []);
    },
  },
  {
    title: "a prefix that no key starts with lists nothing, and leads nowhere else",
    run: async (store) => {
      await putBytes(store, parseKey("a/b"), bytesOf(1, 1));
      for (const prefix of ["/", "../", "a/../a/", "./", "a//", "a/./", "\0", "a\0/", "..\\", "x".repeat(5000) + "/"]) {
        assert.deepEqual(await listKeys(store, prefix), [], JSON.stringify(prefix));
      }
    },
  },
  {
    title: "more than a thousand keys are listed, each once, and in pages by `after`",
    run: async (store) => {
      const expected = Array.from({ length: 1100 }, (_, i) => `n/${String(i % 5)}/${String(i)}`).sort(byBytes);
      await forEachLimited(expected, 32, (name) => putBytes(store, parseKey(name), bytesOf(1, 1)));
      assert.deepEqual(await listKeys(store), expected);
      const paged: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; after = paged.at(-1)) {
        const before = paged.length;
        for await (const stat of store.list("n/", { after })) {
          if (paged.push(stat.key) === before + 400) break;
        }
        assert.ok(paged.length <= expected.length, "`after` gets ahead");
        if (paged.length === before) break;
      }
      assert.deepEqual(paged, expected);
    },
  },
  {
    title: "objects that come and go during a listing disturb none of the others",
    run: async (store) => {
      const stay = Array.from({ length: 20 }, (_, i) => `s/${String.fromCharCode(97 + i)}/1`);
      const go = stay.map((name) => name.replace("/1", "/0"));
      await forEachLimited([...stay, ...go], 8, (name) => putBytes(store, parseKey(name), bytesOf(1, 1)));
      const seen: string[] = [];
      for await (const stat of store.list("")) {
        seen.push(stat.key);
        if (seen.length === 5) {
          for (const name of go) await store.delete(parseKey(name));
          await putBytes(store, parseKey("s/t/2"), bytesOf(1, 1));
        }
      }
      assert.deepEqual(
        seen.filter((name) => name.endsWith("/1")),
        stay,
      );
      assert.deepEqual(seen, [...new Set(seen)].sort(byBytes));
    },
  },
];
