import { join } from "node:path";

// Where Holdall keeps objects unless told otherwise (docs/configuration.md): a floor serves the very same files.

/** @param data the server's data folder */
export function storeFolder(data: string): string {
  return join(data, "store");
}

/** The place of an object in the store, in the layout `shared`. */
export function sharedPath(oid: string): string {
  return `objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
}
