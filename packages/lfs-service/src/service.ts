import type { Access, ActionTokens } from "@holdall/identity";
import type { Layout, RepositoryName } from "@holdall/lfs-protocol";
import type { Metadata } from "@holdall/metadata";
import { PART_SIZE, parseKey, type ObjectStore } from "@holdall/object-store";
import { Batches, type TransferPolicy } from "./batch.ts";
import { DirectTransfers } from "./direct.ts";
import type { OnLfsEvent } from "./events.ts";
import { Gate } from "./gate.ts";
import { LockService } from "./locks.ts";
import { Pace } from "./pace.ts";
import { PartUploads } from "./part-uploads.ts";
import { Publisher } from "./publisher.ts";
import { ResumableUploads } from "./resumable-uploads.ts";
import { Suspects } from "./suspects.ts";
import { Transfers } from "./transfers.ts";

export interface LfsServiceOptions {
  /** Must check SHA-256: wrap it in the verify layer where it does not. */
  readonly store: ObjectStore;
  readonly layout: Layout;
  readonly metadata: Metadata;
  readonly access: Access;
  readonly actionTokens: ActionTokens;
  /** Whether a repository comes into being with the first write to it. */
  readonly createRepositories: boolean;
  /** How long transfer actions work, in seconds. */
  readonly actionLifetime: number;
  readonly maxBatchObjects: number;
  /** How the bytes of a repository's objects go; through the server unless given. */
  readonly transferPolicy?: (repository: RepositoryName) => TransferPolicy;
  /**
   * Up to this size, in bytes, what nobody could hash on its way (it went to a store directly that does not check SHA-256, or
   * in parts) is read again and hashed before it is linked; of what is larger only the size is compared. Everything unless
   * given.
   */
  readonly rehashLimit?: number;
  /** Milliseconds after which a connection that has gone quiet gives way to whoever goes on with its upload; 2 s unless given. */
  readonly quietAfter?: number;
  readonly onEvent: OnLfsEvent;
}

/** Git LFS without a transport: what HTTP and SSH offer, they offer by calling this. */
export class LfsService {
  readonly batches: Batches;
  readonly transfers: Transfers;
  readonly direct: DirectTransfers;
  readonly parts: PartUploads;
  readonly resumable: ResumableUploads;
  readonly locks: LockService;
  readonly #metadata: Metadata;
  readonly #store: ObjectStore;

  constructor(o: LfsServiceOptions) {
    if (!o.store.capabilities.checkSha256) throw new Error("LfsService needs a store that checks SHA-256");
    const { metadata, store, onEvent } = o;
    const { repositories, objects, locks } = metadata;
    const gate = new Gate({ access: o.access, repositories, createRepositories: o.createRepositories, onEvent });
    const tokens = o.actionTokens;
    const suspects = new Suspects({ repositories, objects, store, layout: o.layout });
    const policyOf = o.transferPolicy ?? (() => DEFAULT_POLICY);
    const rehashLimit = o.rehashLimit ?? Number.POSITIVE_INFINITY;
    const publisher = new Publisher({ gate, store, layout: o.layout, objects, rehashLimit });
    const pace = new Pace();
    this.direct = new DirectTransfers({ store, layout: o.layout, publisher, tokens, lifetime: o.actionLifetime, pace });
    this.parts = new PartUploads({
      store,
      uploads: metadata.uploads,
      publisher,
      tokens,
      lifetime: o.actionLifetime,
      partSize: ({ repository }) => policyOf(repository).partSize,
      pace,
    });
    this.batches = new Batches({
      gate,
      objects,
      suspects,
      layout: o.layout,
      tokens,
      direct: this.direct,
      parts: this.parts,
      policyOf,
      lifetime: o.actionLifetime,
      maxObjects: o.maxBatchObjects,
    });
    this.transfers = new Transfers({ gate, store, layout: o.layout, objects, suspects, tokens, onEvent });
    this.resumable = new ResumableUploads({
      store,
      parts: this.parts,
      publisher,
      transfers: this.transfers,
      quietAfter: o.quietAfter ?? 2000,
    });
    this.locks = new LockService({ gate, locks, onEvent });
    this.#metadata = metadata;
    this.#store = store;
  }

  /** Whether the database and the store answer. @throws what they throw when they do not */
  async ready(): Promise<void> {
    await Promise.all([this.#metadata.ping(), this.#store.stat(READINESS_KEY)]);
  }
}

const DEFAULT_POLICY: TransferPolicy = { mode: "proxy", multipartThreshold: 2 * PART_SIZE, partSize: PART_SIZE };

/** Nothing is ever stored there: the answer, not the object, is what readiness asks for. */
const READINESS_KEY = parseKey("readiness");
