import { fileURLToPath, pathToFileURL } from "node:url";
import { StorageError } from "./errors.ts";
import { FsStore } from "./fs/store.ts";
import { MemoryStore } from "./memory/store.ts";
import type { ObjectStore } from "./port.ts";

/** What a store URL names, the same in configuration, remotes, mirrors and commands. */
export type StoreUrl = { readonly kind: "file"; readonly path: string } | { readonly kind: "memory" };

/**
 * Reads a store URL: `file:///absolute/path` or `memory:`.
 * @throws StorageError `invalid` for anything else
 */
export function parseStoreUrl(text: string): StoreUrl {
  if (text === "memory:") return { kind: "memory" };
  const url = URL.parse(text);
  if (url?.protocol !== "file:") {
    throw new StorageError(
      "invalid",
      `${JSON.stringify(text)} is not a store URL: write file:///absolute/path, or memory: for a store that is gone when the process ends`,
    );
  }
  if (url.host !== "" || url.search !== "" || url.hash !== "" || !/^file:\/\/\//i.test(text)) {
    throw new StorageError(
      "invalid",
      `${JSON.stringify(text)}: a file store URL has three slashes and an absolute path, nothing else`,
    );
  }
  try {
    const path = fileURLToPath(url);
    if (!path.includes("\0")) return { kind: "file", path };
  } catch (cause) {
    throw noPath(text, { cause });
  }
  throw noPath(text);
}

function noPath(text: string, options?: ErrorOptions): StorageError {
  return new StorageError("invalid", `${JSON.stringify(text)} does not name a path on this machine`, options);
}

/** The URL of a folder. */
export function fileStoreUrl(path: string): string {
  return pathToFileURL(path).href;
}

/** Makes the store that the URL names, and loads what it takes to reach it. Asks nothing of it yet. */
export async function openStore(url: StoreUrl): Promise<ObjectStore> {
  switch (url.kind) {
    case "file":
      return new FsStore(url.path);
    case "memory":
      return new MemoryStore();
  }
}
