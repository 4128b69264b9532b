import { randomBytes } from "node:crypto";
import { StorageError } from "../errors.ts";
import { Intake } from "../intake.ts";
import type { ObjectKey } from "../key.ts";
import { compareKeys } from "../compare.ts";
import { PART_SIZE, readWhole } from "../parts.ts";
import type {
  CallOptions,
  Capabilities,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  MultipartUploads,
  ObjectStat,
  ObjectStore,
  ObjectVersion,
  PresignOptions,
  PutOptions,
  SignedRequest,
  StoredObject,
} from "../port.ts";
import { putBlocks } from "./blocks.ts";
import type { AzureClient, Call } from "./client.ts";
import { Copier, type CopySizes } from "./copy.ts";
import { inByteOrder, listBlobs } from "./listing.ts";
import { lookAt, quoted } from "./look.ts";
import { AzureUploads } from "./multipart.ts";
import { BlobNames } from "./names.ts";
import { presignObject } from "./presign.ts";
import { publish, type Publication } from "./publish.ts";
import { readObject } from "./read.ts";
import { remove, removeVersion } from "./remove.ts";

/** How often a copy is begun anew because its source was replaced meanwhile. */
const ATTEMPTS = 4;

export interface AzureStoreOptions {
  /** All objects lie below it, in whole segments. */
  readonly prefix?: string | undefined;
  readonly copySizes?: CopySizes;
}

/**
 * Objects as block blobs in a container of Azure Blob Storage. Small ones are put in one request; larger ones in blocks,
 * which nobody sees before the list of them is put, in one step too. Blocks of a put that failed cannot be removed: Azure
 * forgets them after a week, or when something else is put under the name. The account must not have a hierarchical
 * namespace, which lists folders as if they were objects.
 */
export class AzureStore implements ObjectStore {
  readonly capabilities: Capabilities;
  readonly multipart: MultipartUploads;
  readonly #client: AzureClient;
  readonly #names: BlobNames;
  readonly #copier: Copier;
  readonly #uploads: AzureUploads;

  constructor(client: AzureClient, { prefix, copySizes }: AzureStoreOptions = {}) {
    this.#client = client;
    this.#names = new BlobNames(prefix);
    this.#copier = new Copier(client, copySizes);
    this.#uploads = new AzureUploads(client, this.#names, this.#copier);
    this.multipart = this.#uploads;
    this.capabilities = {
      putIfAbsent: true,
      compareAndSwap: true,
      deleteIfMatch: true,
      checkSha256: false,
      copy: true,
      presignGet: client.signs,
      presignPut: client.signs,
      presignSha256: false,
      multipart: true,
      presignPart: client.signs,
    };
  }

  async stat(key: ObjectKey, { signal }: CallOptions = {}): Promise<ObjectStat | undefined> {
    const blob = this.#names.of(key);
    const found = await lookAt(this.#client, blob, { doing: `looking at ${key}`, needs: "read", signal });
    if (found === undefined) return undefined;
    const { size, etag, modifiedAt } = found;
    return { key, size, etag, modifiedAt };
  }

  async get(key: ObjectKey, o: GetOptions = {}): Promise<StoredObject> {
    return await readObject(this.#client, key, this.#names.of(key), o);
  }

  async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    const intake = new Intake(body, o);
    try {
      if (o.sha256 !== undefined) {
        throw new StorageError(
          "unsupported",
          "Azure Blob Storage does not check SHA-256: wrap the store in the verify layer",
        );
      }
      const { size, signal, ifAbsent, ifMatch, contentType } = o;
      const call: Call = { doing: `storing ${key}`, needs: "write", signal };
      const publication = { ...call, blob: this.#names.of(key), id: newId(), ifAbsent, ifMatch, contentType };
      const etag =
        size > PART_SIZE ? await this.#putLarge(publication, intake, o) : await this.#putSmall(publication, intake);
      return { key, size, etag };
    } finally {
      await intake.return();
    }
  }

  async #putSmall(publication: Publication, intake: Intake): Promise<string> {
    const bytes = await readWhole(intake);
    return await publish(this.#client, { ...publication, bytes: bytes.length }, (blob, o) =>
      blob.upload(bytes, bytes.length, o),
    );
  }

  async #putLarge(publication: Publication, intake: Intake, o: PutOptions): Promise<string> {
    const { blob, doing, signal, ifAbsent } = publication;
    // Rather one request more than sending gigabytes only to hear that they are there already.
    if (ifAbsent === true && (await lookAt(this.#client, blob, { doing, signal, needs: "read" })) !== undefined) {
      await intake.drain();
      throw new StorageError("conflict", `${doing} is not possible: it exists already`);
    }
    return await putBlocks(this.#client, publication, intake, o);
  }

  async delete(key: ObjectKey, { ifMatch, signal }: DeleteOptions = {}): Promise<void> {
    const call: Call = { doing: `deleting ${key}`, needs: "delete", signal };
    const blob = this.#names.of(key);
    if (ifMatch === undefined) await remove(this.#client, blob, call);
    else await removeVersion(this.#client, blob, quoted(ifMatch), call);
  }

  /** Azure goes on only where it has stopped itself, so what comes before `after` is listed and passed over. */
  async *list(prefix: string, { after = "", signal }: ListOptions = {}): AsyncIterable<ObjectStat> {
    signal?.throwIfAborted();
    for await (const stat of inByteOrder(this.#listed(prefix, signal))) {
      signal?.throwIfAborted();
      if (compareKeys(stat.key, after) > 0) yield stat;
    }
  }

  async *#listed(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectStat> {
    const beginning = this.#names.beginning(prefix);
    if (beginning === undefined) return;
    const call: Call = { doing: `listing ${prefix === "" ? "the store" : prefix}`, needs: "list", signal };
    for await (const { name, size, etag, modifiedAt } of listBlobs(this.#client, call, beginning)) {
      const key = this.#names.keyOf(name);
      if (key !== undefined) yield { key, size, etag, modifiedAt };
    }
  }

  async copy(from: ObjectKey, to: ObjectKey, { fromEtag, ifAbsent, signal }: CopyOptions = {}): Promise<ObjectVersion> {
    const doing = `copying ${from} to ${to}`;
    const [source, target] = [this.#names.of(from), this.#names.of(to)];
    const look = () => lookAt(this.#client, source, { doing, signal, needs: "read" });
    for (let attempts = 1; ; attempts += 1) {
      const version = await look();
      if (version === undefined) throw new StorageError("not-found", `there is no object ${from}`);
      if (fromEtag !== undefined && version.etag !== quoted(fromEtag)) {
        throw new StorageError("conflict", `${from} is not the version that was to be copied: read it again`);
      }
      const { size, contentType } = version;
      const publication = { doing, needs: "write", signal, blob: target, id: newId(), ifAbsent, contentType } as const;
      try {
        return { key: to, size, etag: await this.#copier.copy({ ...publication, from: source, source: version }) };
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== "conflict" || attempts === ATTEMPTS) throw error;
        // The target's condition has decided; or the source was replaced, and its new version may do as well.
        if ((await look())?.etag === version.etag) throw error;
      }
    }
  }

  async presign(key: ObjectKey, o: PresignOptions): Promise<SignedRequest> {
    return await presignObject(this.#client, key, this.#names.of(key), o);
  }

  async sweep(): Promise<number> {
    return await this.#uploads.sweep();
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

function newId(): string {
  return randomBytes(16).toString("hex");
}
