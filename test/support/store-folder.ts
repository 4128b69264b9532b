import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { sha256OfFile } from "./content.ts";

const OID = /^[0-9a-f]{64}$/;

/** The oids of all objects in a store's folder, each of which must have its bytes. */
export async function soundObjects(store: string): Promise<string[]> {
  const entries = await readdir(join(store, "objects"), { recursive: true, withFileTypes: true }).catch(orNone);
  const files = entries.filter((entry) => entry.isFile());
  for (const { parentPath, name } of files) {
    assert.match(name, OID, "only objects are visible");
    assert.equal(await sha256OfFile(join(parentPath, name)), name, "a visible object has its bytes");
  }
  return files.map(({ name }) => name).sort();
}

/** The files of unfinished uploads, and what else is where they are; not the lock of a living server. */
export async function temporaries(store: string): Promise<string[]> {
  const entries = await readdir(join(store, ".holdall", "tmp"), { recursive: true, withFileTypes: true }).catch(orNone);
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".lock")).map(({ name }) => name);
}

function orNone(error: unknown): [] {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
  throw error;
}
