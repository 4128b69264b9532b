import { createHash } from "node:crypto";
import type { Layout, Oid } from "@holdall/lfs-protocol";
import type { Objects } from "@holdall/metadata";
import { StorageError, type ObjectKey, type ObjectStat, type ObjectStore } from "@holdall/object-store";
import { LfsError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import { incomingKey } from "./incoming.ts";
import { objectKey } from "./object-key.ts";
import type { ObjectName } from "./transfers.ts";

/** During which request, and for whom. */
export interface Doing {
  /** The principal's name. */
  readonly by: string;
  readonly requestId: string;
}

/** A version of an object, and the SHA-256 that its bytes have. */
interface Known {
  readonly etag: string;
  readonly sha256: string;
}

/** Makes objects of what has arrived in the store by other ways than as one body through the server. */
export class Publisher {
  readonly #gate: Gate;
  readonly #store: ObjectStore;
  readonly #layout: Layout;
  readonly #objects: Objects;
  readonly #rehashLimit: number;
  /** Clients ask again when reading an object takes long: all of them wait for the one look at it. */
  readonly #underway = new Map<ObjectKey, Promise<void>>();

  /**
   * @param o.rehashLimit up to this size, in bytes, an upload is read again where nobody has hashed it on the way; what is
   *   larger only if the object is there already
   */
  constructor(o: { gate: Gate; store: ObjectStore; layout: Layout; objects: Objects; rehashLimit: number }) {
    this.#gate = o.gate;
    this.#store = o.store;
    this.#layout = o.layout;
    this.#objects = o.objects;
    this.#rehashLimit = o.rehashLimit;
  }

  /** Whether the object is in the repository, and nobody has missed its bytes. */
  async isLinked({ repository: name, oid }: ObjectName): Promise<boolean> {
    const repository = await this.#gate.known(name);
    if (repository === undefined) return false;
    const linked = (await this.#objects.linked(repository.id, [oid])).get(oid);
    return linked !== undefined && !linked.suspect;
  }

  async link({ repository, oid }: ObjectName, size: number, doing: Doing): Promise<void> {
    const { id } = await this.#gate.making(repository, doing);
    await this.#objects.link(id, { oid, size });
  }

  /** Stores and links the empty object, which needs nothing to be sent. */
  async linkEmpty(name: ObjectName, doing: Doing): Promise<void> {
    const key = objectKey(this.#layout, name.repository, name.oid);
    const nothing = async function* (): AsyncGenerator<Uint8Array> {};
    await this.#store.put(key, nothing(), { size: 0, sha256: name.oid });
    await this.link(name, 0, doing);
  }

  /**
   * Takes an upload from where it waits to where objects are, once it is proven to be one, and links it. A server killed at
   * any point of this leaves it to be done again.
   * @param o.known the version of what waits there whose SHA-256 is known: of this one alone
   * @throws LfsError `not-found` when nothing waits there; `wrong-body` when it is something else, which is then removed;
   *   StorageError
   */
  async publish(
    name: ObjectName,
    { size, place, known, doing }: { size: number; place: string; known?: Known | undefined; doing: Doing },
  ): Promise<void> {
    const incoming = incomingKey(place);
    await this.#once(incoming, async () => {
      try {
        await this.#copy(name, { size, incoming, known });
      } catch (error) {
        if (!(error instanceof StorageError && error.code === "not-found")) throw error;
        // Perhaps because another process has done all this meanwhile.
        if (await this.isLinked(name)) return;
        throw notArrived(name.oid, error);
      }
      await this.link(name, size, doing);
      await this.#store.delete(incoming);
    });
  }

  /** Several at once wait for the first. */
  async #once(key: ObjectKey, work: () => Promise<void>): Promise<void> {
    const underway = this.#underway.get(key);
    if (underway !== undefined) return await underway;
    const working = work().finally(() => this.#underway.delete(key));
    this.#underway.set(key, working);
    await working;
  }

  async #copy(
    { repository, oid }: ObjectName,
    { size, incoming, known }: { size: number; incoming: ObjectKey; known: Known | undefined },
  ): Promise<void> {
    const stat = await this.#store.stat(incoming);
    if (stat === undefined) throw new StorageError("not-found", `there is no object ${incoming}`);
    const target = objectKey(this.#layout, repository, oid);
    const present = await this.#store.stat(target);
    const isKnown = known?.etag === stat.etag;
    // Of what is there already, perhaps from another repository, only the bytes earn a link, however many they are.
    const isRead = !isKnown && (size <= this.#rehashLimit || present?.size === size);
    try {
      mustHaveSize(oid, stat, size);
      if (isKnown) mustBe(oid, known.sha256);
      else if (isRead) await this.#rehash(oid, incoming, stat.etag);
    } catch (error) {
      if (error instanceof LfsError && error.code === "wrong-body") await this.#store.delete(incoming);
      throw error;
    }
    // A copy of another length is damaged: what has just been proven takes its place.
    const ifAbsent = this.#store.capabilities.putIfAbsent && (present === undefined || present.size === size);
    try {
      await this.#store.copy(incoming, target, { fromEtag: stat.etag, ifAbsent });
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "conflict")) throw error;
      // Either it is there already, or somebody writes to where this upload waits.
      const isProven = isKnown || isRead;
      if (!isProven || (await this.#store.stat(target))?.size !== size) throw changed(oid, error);
    }
  }

  async #rehash(oid: Oid, incoming: ObjectKey, etag: string): Promise<void> {
    const object = await this.#store.get(incoming, { borrow: true });
    const hash = createHash("sha256");
    for await (const chunk of object.body) hash.update(chunk);
    if (object.etag !== etag) throw changed(oid);
    mustBe(oid, hash.digest("hex"));
  }
}

/** For whoever says that something was sent which is not there. */
export function notArrived(oid: Oid, cause?: unknown): LfsError {
  return new LfsError("not-found", `the object ${oid} has not arrived in the store: push again`, { cause });
}

/** @throws LfsError `wrong-body` when what has arrived has another size */
export function mustHaveSize(oid: Oid, { size }: Pick<ObjectStat, "size">, announced: number): void {
  if (size === announced) return;
  throw new LfsError("wrong-body", `the upload of ${oid} has ${size} bytes where ${announced} were announced`);
}

function mustBe(oid: Oid, actual: string): void {
  if (actual === oid) return;
  throw new LfsError("wrong-body", `the upload has the SHA-256 ${actual}, not ${oid}: it was removed`);
}

function changed(oid: Oid, cause?: unknown): LfsError {
  return new LfsError("busy", `the upload of ${oid} was changed while it was checked: push again`, { cause });
}
