import assert from "node:assert/strict";
import { parseOid, parseRepositoryName, type Oid, type RepositoryName } from "@holdall/lfs-protocol";

export function oidNamed(text: string): Oid {
  const oid = parseOid(text);
  assert.ok(oid !== undefined, `${text} is an oid`);
  return oid;
}

/** @param text as in a URL: one `.git` at its end is taken off */
export function repositoryNamed(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  assert.ok(name !== undefined, `${text} is the name of a repository`);
  return name;
}
