import type { ActionTokens, Principal } from "@holdall/identity";
import { parseOid, type BatchRequest, type Layout, type Oid, type RepositoryName } from "@holdall/lfs-protocol";
import type { LinkedObject, Objects } from "@holdall/metadata";
import { howToRestore, LfsError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import { noPlaceFor } from "./object-key.ts";
import type { Suspects } from "./suspects.ts";

export interface BatchOutcome {
  /** One for each distinct oid of the request, in its order. */
  readonly objects: readonly BatchEntry[];
  /** How long the actions work, in seconds. */
  readonly expiresIn: number;
}

export interface BatchEntry {
  readonly oid: string;
  /** As requested; the true size where the request named none. Bytes. */
  readonly size: number;
  /** Absent when there is nothing to do: an upload of what is there already. */
  readonly action?: BatchAction;
  readonly error?: { readonly code: 404 | 422; readonly message: string };
}

export interface BatchAction {
  readonly kind: "upload" | "download";
  /** Lets the bearer do exactly this, and nothing else. */
  readonly token: string;
}

/** One message for both cases, so that it says nothing about other repositories. */
const NOT_HERE = "the object does not exist in this repository, or you may not see it";

const MISSING = "the server's copy of the object is missing or damaged";

/** Decides what is to be transferred (git-lfs: docs/api/batch.md). Reserves nothing: an announced upload may never come. */
export class Batches {
  readonly #gate: Gate;
  readonly #objects: Objects;
  readonly #suspects: Suspects;
  readonly #layout: Layout;
  readonly #tokens: ActionTokens;
  readonly #lifetime: number;
  readonly #maxObjects: number;

  /** @param o.lifetime of the actions, in seconds */
  constructor(o: {
    gate: Gate;
    objects: Objects;
    suspects: Suspects;
    layout: Layout;
    tokens: ActionTokens;
    lifetime: number;
    maxObjects: number;
  }) {
    this.#gate = o.gate;
    this.#objects = o.objects;
    this.#suspects = o.suspects;
    this.#layout = o.layout;
    this.#tokens = o.tokens;
    this.#lifetime = o.lifetime;
    this.#maxObjects = o.maxObjects;
  }

  /** @throws LfsError when the principal may not, or the request as a whole cannot be answered */
  async batch(principal: Principal, name: RepositoryName, request: BatchRequest): Promise<BatchOutcome> {
    const { operation } = request;
    const repository = await (operation === "upload"
      ? this.#gate.toWrite(principal, name)
      : this.#gate.toRead(principal, name));
    this.#checkTerms(request);

    const asked = distinct(request.objects);
    const oids = asked.flatMap(({ oid }) => oid ?? []);
    const linked = repository === undefined ? NONE : await this.#objects.linked(repository.id, oids);
    const missing = repository === undefined ? NO_OIDS : await this.#suspects.missing(repository, linked);
    const noPlace = noPlaceFor(this.#layout, name);
    const expiresAt = new Date(Date.now() + this.#lifetime * 1000);
    const issue = this.#tokens.issue({ repository: name, operation, principal: principal.name, expiresAt });
    const objects = asked.map(({ text, oid, size }): BatchEntry => {
      if (oid === undefined) return failed(text, size, 422, "the oid is not 64 lower-case hexadecimal digits");
      if (size !== undefined && !isSize(size)) {
        return failed(oid, size, 422, "the size is not a whole number of bytes");
      }
      const present = linked.get(oid)?.size;
      // Clients without the size send none or 0, which says nothing.
      if (present !== undefined && size && size !== present) {
        return failed(oid, size, 422, `the object has ${present} bytes, not ${size}`);
      }
      if (operation === "upload") {
        if (present !== undefined && !missing.has(oid)) return { oid, size: size ?? present };
        if (noPlace !== undefined) return failed(oid, size, 422, noPlace);
        return { oid, size: size ?? present ?? 0, action: { kind: "upload", token: issue(oid, present ?? size) } };
      }
      if (present === undefined) return failed(oid, size, 404, NOT_HERE);
      if (missing.has(oid)) return failed(oid, size, 404, `${MISSING}: ${howToRestore(oid)}`);
      return { oid, size: size ?? present, action: { kind: "download", token: issue(oid, present) } };
    });
    return { objects, expiresIn: this.#lifetime };
  }

  #checkTerms({ objects, hash_algo: algorithm, transfers }: BatchRequest): void {
    if (objects.length > this.#maxObjects) {
      throw new LfsError(
        "too-many-objects",
        `the batch has ${objects.length} objects, the limit is ${this.#maxObjects}: lower lfs.transfer.batchSize`,
      );
    }
    if (algorithm && algorithm !== "sha256") {
      throw new LfsError(
        "invalid",
        `hash_algo ${JSON.stringify(algorithm.slice(0, 40))} is not supported, only sha256 is`,
      );
    }
    if (transfers && transfers.length > 0 && !transfers.includes("basic")) {
      throw new LfsError("invalid", "none of the transfers offered is supported: offer basic");
    }
  }
}

const NONE: ReadonlyMap<Oid, LinkedObject> = new Map();
const NO_OIDS: ReadonlySet<Oid> = new Set();

interface Asked {
  /** As the client wrote it. */
  readonly text: string;
  /** Undefined when that is none. */
  readonly oid: Oid | undefined;
  readonly size: number | undefined;
}

/** Clients hang on an oid that is answered twice. The first of several counts. */
function distinct(objects: BatchRequest["objects"]): Asked[] {
  const byOid = new Map<string, Asked>();
  for (const { oid, size } of objects) {
    if (!byOid.has(oid)) byOid.set(oid, { text: oid, oid: parseOid(oid), size: size ?? undefined });
  }
  return [...byOid.values()];
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0;
}

/** Clients that read a size which is none give up the whole answer. */
function failed(oid: string, size: number | undefined, code: 404 | 422, message: string): BatchEntry {
  return { oid, size: size !== undefined && isSize(size) ? size : 0, error: { code, message } };
}
