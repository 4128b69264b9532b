import { IndexCheck, OID_BYTES, PackError, type ObjectFormat } from "@holdall/git-protocol";
import type { ObjectStore } from "@holdall/object-store/open";
import { GitStoreError } from "./errors.ts";
import { indexKey } from "./keys.ts";
import type { PackEntry } from "./manifest.ts";

/** Before the names, which are in order, come 8 bytes and a table of 256 counts (git: Documentation/gitformat-pack). */
const NAMES_AT = 8 + 256 * 4;

/**
 * Which of these objects a pack has, as its index says, which is read to its end and checked.
 * @throws GitStoreError `corrupt` when it is not the index of that pack; StorageError
 */
export async function objectsAmong(
  store: ObjectStore,
  { name, objects }: PackEntry,
  oids: Iterable<string>,
  format: ObjectFormat,
): Promise<ReadonlySet<string>> {
  const { body } = await store.get(indexKey(name), { borrow: true });
  const check = new IndexCheck(format);
  const scan = new NameScan(oids, objects, OID_BYTES[format]);
  for await (const chunk of body) {
    check.update(chunk);
    scan.update(chunk);
  }
  try {
    if (`pack-${check.end().checksum}` !== name) throw new PackError("it is that of another pack");
  } catch (cause) {
    if (!(cause instanceof PackError)) throw cause;
    throw new GitStoreError("corrupt", `the index of ${name} in the store is damaged: ${cause.message}`, { cause });
  }
  return scan.found;
}

/** Walks two lists of names at once, of which one passes piece by piece. */
class NameScan {
  readonly found = new Set<string>();
  /** In order, and what is left to be met. */
  readonly #wanted: Iterator<Buffer>;
  #next: Buffer | undefined;
  readonly #width: number;
  /** Of the first byte after the names. */
  readonly #end: number;
  #position = 0;
  /** The beginning of a name whose rest comes with the next piece. */
  #rest = Buffer.alloc(0);

  constructor(oids: Iterable<string>, objects: number, width: number) {
    this.#wanted = [...new Set(oids)]
      .toSorted()
      .map((oid) => Buffer.from(oid, "hex"))
      .values();
    this.#next = this.#wanted.next().value;
    this.#width = width;
    this.#end = NAMES_AT + objects * width;
  }

  update(chunk: Uint8Array): void {
    const from = Math.min(chunk.length, Math.max(0, NAMES_AT - this.#position));
    const to = Math.max(from, Math.min(chunk.length, this.#end - this.#position));
    this.#position += chunk.length;
    const names = Buffer.concat([this.#rest, chunk.subarray(from, to)]);
    let at = 0;
    for (; at + this.#width <= names.length && this.#next !== undefined; at += this.#width) {
      this.#meet(names.subarray(at, at + this.#width));
    }
    this.#rest = names.subarray(this.#next === undefined ? names.length : at);
  }

  #meet(name: Buffer): void {
    while (this.#next !== undefined) {
      const order = Buffer.compare(this.#next, name);
      if (order > 0) return;
      if (order === 0) this.found.add(name.toString("hex"));
      this.#next = this.#wanted.next().value;
    }
  }
}
