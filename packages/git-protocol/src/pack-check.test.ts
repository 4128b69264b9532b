import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import type { ObjectFormat } from "./object-id.ts";
import { IndexCheck, PackCheck, PackError } from "./pack-check.ts";

const folder = mkdtempSync(join(tmpdir(), "holdall-pack-check-"));
after(() => rmSync(folder, { recursive: true }));

/** A pack of 300 objects and its index, made by git. */
function packOf(format: ObjectFormat): { pack: Buffer; index: Buffer; name: string } {
  const repository = join(folder, format);
  const git = (...args: string[]): string => execFileSync("git", ["-C", repository, ...args], { encoding: "utf8" });
  execFileSync("git", ["init", "--quiet", `--object-format=${format}`, repository]);
  for (let file = 0; file < 299; file += 1) writeFileSync(join(repository, `${file}`), `${file}`);
  git("add", ".");
  git("write-tree");
  const oids = git("ls-files", "-s")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? []);
  oids.push(git("write-tree").trim());
  const packs = join(repository, ".git", "objects", "pack");
  execFileSync("git", ["-C", repository, "pack-objects", "--quiet", join(packs, "pack")], { input: oids.join("\n") });
  const name = readdirSync(packs).find((one) => one.endsWith(".pack")) ?? assert.fail();
  const [pack, index] = [name, name.replace(/pack$/, "idx")].map((one) => readFileSync(join(packs, one)));
  return { pack: pack ?? assert.fail(), index: index ?? assert.fail(), name: name.slice(5, -5) };
}

/** Feeds bytes in pieces of this many. */
function fed<T extends PackCheck | IndexCheck>(check: T, bytes: Uint8Array, piece: number): ReturnType<T["end"]> {
  for (let at = 0; at < bytes.length; at += piece) check.update(bytes.subarray(at, at + piece));
  return check.end() as ReturnType<T["end"]>;
}

for (const format of ["sha1", "sha256"] as const) {
  const { pack, index, name } = packOf(format);

  test(`${format}: a pack and its index say what they are, in pieces of any size`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), (piece) => {
        assert.deepEqual(fed(new PackCheck(format), pack, piece), { checksum: name, objects: 300, size: pack.length });
        assert.deepEqual(fed(new IndexCheck(format), index, piece), {
          checksum: name,
          objects: 300,
          size: index.length,
        });
      }),
      { seed: 5, numRuns: 30 },
    );
  });

  test(`${format}: whatever is changed, cut or added is noticed`, () => {
    const damage = fc.oneof(
      fc.tuple(fc.constant("flip" as const), fc.nat(), fc.integer({ min: 1, max: 255 })),
      fc.tuple(fc.constant("cut" as const), fc.nat(), fc.constant(0)),
      fc.tuple(fc.constant("add" as const), fc.nat(50), fc.constant(0)),
    );
    fc.assert(
      fc.property(damage, fc.boolean(), ([how, where, bits], ofPack) => {
        const good = ofPack ? pack : index;
        const at = where % good.length;
        let bad = Buffer.from(good);
        if (how === "flip") bad[at] = (bad[at] ?? 0) ^ bits;
        else if (how === "cut") bad = bad.subarray(0, at);
        else bad = Buffer.concat([bad, Buffer.alloc(where + 1)]);
        const check = ofPack ? new PackCheck(format) : new IndexCheck(format);
        assert.throws(() => fed(check, bad, 1000), PackError);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
}
