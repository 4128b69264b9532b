import { parseOid } from "@holdall/lfs-protocol";
import { LfsError, type ObjectName } from "@holdall/lfs-service";
import { repositoryOf } from "../context.ts";

const TOKEN = /(?:^|&)token=([^&]*)/;

/** @throws LfsError `not-found` when the path names no repository or no oid */
export function nameOf(target: { readonly repository: string; readonly oid: string }): ObjectName {
  const oid = parseOid(target.oid);
  if (oid === undefined) throw new LfsError("not-found", "the URL does not name an object");
  return { repository: repositoryOf(target), oid };
}

/** The action token. Nothing in one is ever percent-encoded. */
export function tokenOf({ query }: { readonly query: string }): string | undefined {
  return TOKEN.exec(query)?.[1];
}

/** Undefined for a chunked body. Node has refused what is not a number. */
export function contentLength(headers: { readonly "content-length"?: string | undefined }): number | undefined {
  const text = headers["content-length"];
  return text === undefined ? undefined : Number(text);
}
