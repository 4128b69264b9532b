import type { Access, ActionTokens } from "@holdall/identity";
import type { Layout, RepositoryName } from "@holdall/lfs-protocol";
import type { Metadata } from "@holdall/metadata";
import { parseKey, type ObjectStore } from "@holdall/object-store";
import { Batches } from "./batch.ts";
import { DirectTransfers, type TransferMode } from "./direct.ts";
import type { OnLfsEvent } from "./events.ts";
import { Gate } from "./gate.ts";
import { LockService } from "./locks.ts";
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
  readonly transferMode?: (repository: RepositoryName) => TransferMode;
  /**
   * Up to this size, in bytes, what clients have sent to a store directly that does not check SHA-256 is read again and hashed
   * before it is linked; of what is larger only the size is compared. Everything unless given.
   */
  readonly rehashLimit?: number;
  readonly onEvent: OnLfsEvent;
}

/** Git LFS without a transport: what HTTP and SSH offer, they offer by calling this. */
export class LfsService {
  readonly batches: Batches;
  readonly transfers: Transfers;
  readonly direct: DirectTransfers;
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
    this.direct = new DirectTransfers({
      gate,
      store,
      layout: o.layout,
      objects,
      tokens,
      lifetime: o.actionLifetime,
      rehashLimit: o.rehashLimit ?? Number.POSITIVE_INFINITY,
    });
    this.batches = new Batches({
      gate,
      objects,
      suspects,
      layout: o.layout,
      tokens,
      direct: this.direct,
      modeOf: o.transferMode ?? (() => "proxy"),
      lifetime: o.actionLifetime,
      maxObjects: o.maxBatchObjects,
    });
    this.transfers = new Transfers({ gate, store, layout: o.layout, objects, suspects, tokens, onEvent });
    this.locks = new LockService({ gate, locks, onEvent });
    this.#metadata = metadata;
    this.#store = store;
  }

  /** Whether the database and the store answer. @throws what they throw when they do not */
  async ready(): Promise<void> {
    await Promise.all([this.#metadata.ping(), this.#store.stat(READINESS_KEY)]);
  }
}

/** Nothing is ever stored there: the answer, not the object, is what readiness asks for. */
const READINESS_KEY = parseKey("readiness");
