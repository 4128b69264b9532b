import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { parseOid, parseRepositoryName, type Oid, type RepositoryName } from "@holdall/lfs-protocol";
import { MetadataError, type MetadataErrorCode } from "../errors.ts";
import type { Metadata, Objects } from "../port.ts";

/** An adapter under test. */
export interface Subject {
  readonly name: string;
  /** Makes a new, empty database. */
  create(): Promise<TestDatabase>;
}

export interface TestDatabase {
  /** Another instance of the adapter over this database, as another process would have it. */
  open(): Promise<Metadata>;
  /** Removes the database; every instance is closed by then. */
  remove(): Promise<void>;
}

/** Opens instances over a new database, and closes and removes all when the test is over. */
export async function newDatabase(t: TestContext, subject: Subject): Promise<() => Promise<Metadata>> {
  const database = await subject.create();
  const opened: Metadata[] = [];
  t.after(async () => {
    await Promise.all(opened.map((metadata) => metadata.close()));
    await database.remove();
  });
  return async () => {
    const metadata = await database.open();
    opened.push(metadata);
    return metadata;
  };
}

/** One instance over a new database. */
export async function newMetadata(t: TestContext, subject: Subject): Promise<Metadata> {
  const open = await newDatabase(t, subject);
  return open();
}

export function repositoryName(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  assert.ok(name !== undefined, `${text} is a repository name`);
  return name;
}

/** The oid of this text. */
export function oidOf(text: string): Oid {
  const oid = parseOid(createHash("sha256").update(text).digest("hex"));
  assert.ok(oid !== undefined);
  return oid;
}

/** The sizes of those of the oids that are linked into the repository. */
export async function linkedSizes(
  objects: Objects,
  repositoryId: number,
  oids: readonly Oid[],
): Promise<Map<Oid, number>> {
  const linked = await objects.linked(repositoryId, oids);
  return new Map([...linked].map(([oid, { size }]) => [oid, size]));
}

export function range<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** For `assert.rejects` and `assert.throws`. */
export function hasCode(code: MetadataErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof MetadataError, `a MetadataError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  };
}

/** Texts that a careless database would fold, trim, cut or order differently than by the bytes of UTF-8. */
export const DISTINCT_TEXTS: readonly string[] = [
  "a",
  "A",
  "a ",
  " a",
  "a'; drop table users; --",
  'a"b',
  "a%",
  "a_",
  "a\\b",
  "a\nb",
  "%61",
  "\u00e9",
  "e\u0301",
  "\ufffd",
  "\uffff",
  "\u{1f600}",
  "\u{10ffff}",
  "ß",
  "ss",
  "İ",
  "x".repeat(4000),
];

/** Texts that no database is asked to keep. */
export const UNSTORABLE_TEXTS: readonly string[] = ["a\0b", "\0", "a\ud800", "\udc00a"];
