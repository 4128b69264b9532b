import { isObjectId, isRefName, sortedRefs, type ObjectFormat } from "@holdall/git-protocol";
import { GitStoreError } from "./errors.ts";
import { logEntryOf, type LogEntry } from "./log-entry.ts";

/** All that a repository is, beside the bytes of its packs (docs/design/git-store.md, "The manifest"). */
export interface Manifest {
  readonly objectFormat: ObjectFormat;
  /** One more than that of the manifest which this one replaced; from 1. */
  readonly generation: number;
  /** Random: no two manifests have the same bytes. */
  readonly transaction: string;
  /** The transaction before. */
  readonly parent: string | undefined;
  readonly at: Date;
  /** The branch that a clone begins with, which need not be there yet. */
  readonly head: string;
  readonly refs: ReadonlyMap<string, RefValue>;
  /** In the order of their arrival. */
  readonly packs: readonly PackEntry[];
  /** Replaced by others, and still there for those who read a manifest that named them. */
  readonly retired: readonly RetiredPack[];
  /** Packs that are being removed from the store at this moment: nobody may come to rely on one. */
  readonly deleting: readonly string[];
  readonly rules: readonly RefRule[];
  /** The latest changes, this state's own last; those before are in objects of the log. None: its own is in one, too. */
  readonly log: readonly LogEntry[];
}

export interface RefValue {
  readonly oid: string;
  /** What an annotated tag comes to. */
  readonly peeled?: string;
}

export interface PackEntry {
  /** `pack-` and the checksum at the end of the pack. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Of the index, in bytes. */
  readonly indexSize: number;
  readonly objects: number;
  readonly at: Date;
}

export interface RetiredPack {
  readonly name: string;
  readonly at: Date;
}

/** What nobody may do to a ref. */
export type Denied = "force" | "delete";

export interface RefRule {
  /** A full name, or a pattern: `*` within one segment, `**` for any number of them. */
  readonly refs: string;
  readonly deny: readonly Denied[];
}

const FORMAT = "holdall git store";
const VERSION = 1;

/** The largest manifest that is read, in bytes. */
export const MAX_MANIFEST_BYTES: number = 64 * 1024 * 1024;

/** The bytes of a manifest, for the store. */
export function formatManifest(manifest: Manifest): Buffer {
  const { refs, packs, retired, deleting, rules, log, at, objectFormat, generation, transaction, parent, head } =
    manifest;
  const text = JSON.stringify({
    format: FORMAT,
    version: VERSION,
    objectFormat,
    generation,
    transaction,
    parent,
    at,
    head,
    refs: Object.fromEntries(sortedRefs(refs).map(({ name, ...value }) => [name, formatValue(value)])),
    packs,
    retired,
    deleting,
    rules,
    log,
  });
  return Buffer.from(`${text}\n`);
}

function formatValue({ oid, peeled }: RefValue): string {
  return peeled === undefined ? oid : `${oid} ${peeled}`;
}

/** @throws GitStoreError `newer-format`, or `corrupt` for anything that is not exactly a manifest */
export function parseManifest(bytes: Uint8Array): Manifest {
  const json = parseJson(bytes);
  if (json["format"] !== FORMAT) throw corrupt("it is none");
  checkVersion(json["version"]);
  const objectFormat = json["objectFormat"];
  if (objectFormat !== "sha1" && objectFormat !== "sha256") throw corrupt("it has no object format");
  const head = json["head"];
  if (typeof head !== "string" || !isRefName(head)) throw corrupt("its head is no name of a branch");
  return {
    objectFormat,
    generation: wholeNumber(json["generation"], "generation"),
    transaction: transactionId(json["transaction"]),
    parent: json["parent"] === undefined ? undefined : transactionId(json["parent"]),
    at: date(json["at"]),
    head,
    refs: refsOf(json["refs"], objectFormat),
    packs: list(json["packs"], "packs").map((pack) => packOf(pack, objectFormat)),
    retired: list(json["retired"], "retired packs").map((pack) => {
      const { name, at } = record(pack, "retired pack");
      return { name: packName(name, objectFormat), at: date(at) };
    }),
    deleting: list(json["deleting"], "packs to delete").map((name) => packName(name, objectFormat)),
    rules: list(json["rules"], "rules").map(ruleOf),
    log: list(json["log"], "changes").map(logEntryOf),
  };
}

function checkVersion(version: unknown): void {
  if (version === VERSION) return;
  if (typeof version !== "number" || !(version > VERSION)) throw corrupt("its version is none");
  throw new GitStoreError(
    "newer-format",
    `the repository has format ${version}, made by a later version of Holdall; this one knows format ${VERSION}: update it`,
  );
}

function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "manifest");
  } catch (cause) {
    if (cause instanceof GitStoreError) throw cause;
    throw corrupt("it is no JSON", cause);
  }
}

function refsOf(value: unknown, format: ObjectFormat): Map<string, RefValue> {
  const refs = new Map<string, RefValue>();
  for (const [name, text] of Object.entries(record(value, "refs"))) {
    if (!isRefName(name)) throw corrupt(`${JSON.stringify(name)} is no name of a ref`);
    const oids = typeof text === "string" ? text.split(" ") : [];
    const [oid, peeled] = oids;
    if (oid === undefined || oids.length > 2 || !oids.every((one) => isObjectId(one, format))) {
      throw corrupt(`the value of ${name} is no object`);
    }
    refs.set(name, peeled === undefined ? { oid } : { oid, peeled });
  }
  return refs;
}

function packOf(value: unknown, format: ObjectFormat): PackEntry {
  const { name, size, indexSize, objects, at } = record(value, "pack");
  return {
    name: packName(name, format),
    size: wholeNumber(size, "size of a pack"),
    indexSize: wholeNumber(indexSize, "size of an index"),
    objects: wholeNumber(objects, "number of objects"),
    at: date(at),
  };
}

/** Names become keys and paths: there is nothing in one but digits. */
function packName(value: unknown, format: ObjectFormat): string {
  if (typeof value === "string" && value.startsWith("pack-") && isObjectId(value.slice(5), format)) return value;
  throw corrupt(`${JSON.stringify(value)} is no name of a pack`);
}

function ruleOf(value: unknown): RefRule {
  const { refs, deny } = record(value, "rule");
  if (typeof refs !== "string" || !refs.startsWith("refs/")) throw corrupt("a rule names no refs");
  return {
    refs,
    deny: list(deny, "what a rule denies").map((one) => {
      if (one === "force" || one === "delete") return one;
      // What a later version forbids, this one must not allow.
      throw new GitStoreError("newer-format", `a rule denies ${JSON.stringify(one)}, which this version does not know`);
    }),
  };
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw corrupt(`its ${what} has not the form of one`);
}

function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw corrupt(`it has no list of ${what}`);
}

function wholeNumber(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw corrupt(`its ${what} is no whole number`);
}

function transactionId(value: unknown): string {
  if (typeof value === "string" && /^[0-9a-f-]{36}$/.test(value)) return value;
  throw corrupt("a transaction of it has no id");
}

function date(value: unknown): Date {
  const read = typeof value === "string" ? new Date(value) : undefined;
  if (read !== undefined && !Number.isNaN(read.getTime())) return read;
  throw corrupt("a time in it is none");
}

function corrupt(what: string, cause?: unknown): GitStoreError {
  const message = `the repository's manifest cannot be read: ${what}. Nothing was changed`;
  return new GitStoreError("corrupt", message, { cause });
}
