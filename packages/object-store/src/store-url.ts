import { fileURLToPath, pathToFileURL } from "node:url";
import { type AzureLocation, formatAzureUrl, parseAzureUrl } from "./azure/options.ts";
import { StorageError } from "./errors.ts";
import { formatGcsUrl, type GcsLocation, parseGcsUrl } from "./gcs/options.ts";
import type { ObjectStore } from "./port.ts";
import { formatS3Url, parseS3Url, type S3Location } from "./s3/options.ts";

/** What a store URL names, the same in configuration, remotes, mirrors and commands. */
export type StoreUrl =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "memory" }
  | S3Location
  | GcsLocation
  | AzureLocation;

/** Not `memory:`, which is for tests, and no remote can be. */
const FORMS =
  "write file:///absolute/path, s3://bucket[/prefix], gs://bucket[/prefix] or az://account/container[/prefix]";

/**
 * Reads a store URL: `file:///absolute/path`, `s3://…`, `gs://…`, `az://…` or `memory:`.
 * @throws StorageError `invalid` for anything else
 */
export function parseStoreUrl(text: string): StoreUrl {
  switch (/^([a-z][a-z\d+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? "") {
    case "file":
      return { kind: "file", path: parseFileUrl(text) };
    case "s3":
      return parseS3Url(text);
    case "gs":
      return parseGcsUrl(text);
    case "az":
      return parseAzureUrl(text);
    case "memory":
      if (text === "memory:") return { kind: "memory" };
  }
  throw new StorageError("invalid", `${JSON.stringify(text)} is not a store URL: ${FORMS}`);
}

function parseFileUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || url.host !== "" || url.search !== "" || url.hash !== "" || !/^file:\/\/\//i.test(text)) {
    throw new StorageError(
      "invalid",
      `${JSON.stringify(text)}: a file store URL has three slashes and an absolute path, nothing else`,
    );
  }
  try {
    const path = fileURLToPath(url);
    if (!path.includes("\0")) return path;
  } catch (cause) {
    throw noPath(text, { cause });
  }
  throw noPath(text);
}

function noPath(text: string, options?: ErrorOptions): StorageError {
  return new StorageError("invalid", `${JSON.stringify(text)} does not name a path on this machine`, options);
}

/** The text that {@link parseStoreUrl} reads as this. There is nothing secret in it. */
export function formatStoreUrl(url: StoreUrl): string {
  switch (url.kind) {
    case "file":
      return pathToFileURL(url.path).href;
    case "memory":
      return "memory:";
    case "s3":
      return formatS3Url(url);
    case "gs":
      return formatGcsUrl(url);
    case "az":
      return formatAzureUrl(url);
  }
}

/**
 * Makes the store that the URL names, and loads what it takes to reach it, and that only. Asks nothing of
 * the store yet.
 * @throws StorageError `denied` when credentials are missing, `unsupported` when a library is
 */
export async function openStore(url: StoreUrl): Promise<ObjectStore> {
  switch (url.kind) {
    case "file": {
      const { FsStore } = await import("./fs/store.ts");
      return new FsStore(url.path);
    }
    case "memory": {
      const { MemoryStore } = await import("./memory/store.ts");
      return new MemoryStore();
    }
    case "s3": {
      const { openS3 } = await load("@aws-sdk/", () => import("./s3/open.ts"));
      return await openS3(url);
    }
    case "gs": {
      const { openGcs } = await load("@google-cloud/", () => import("./gcs/open.ts"));
      return await openGcs(url);
    }
    case "az": {
      const { openAzure } = await load("@azure/", () => import("./azure/open.ts"));
      return await openAzure(url);
    }
  }
}

/** The libraries are optional: whoever keeps nothing in a cloud need not install them. */
async function load<T>(scope: string, adapter: () => Promise<T>): Promise<T> {
  try {
    return await adapter();
  } catch (cause) {
    const name = /Cannot find package '([^']+)'/.exec(cause instanceof Error ? cause.message : "")?.[1];
    if (name?.startsWith(scope) !== true) throw cause;
    throw new StorageError("unsupported", `this store needs the package ${name}: npm install ${name}`, { cause });
  }
}
