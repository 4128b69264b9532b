import type { ActionGrant, ActionTokens, Principal } from "@holdall/identity";
import {
  contentDisposition,
  parseOid,
  readDownloadName,
  type BatchRequest,
  type DownloadName,
  type Layout,
  type Oid,
  type RepositoryName,
} from "@holdall/lfs-protocol";
import type { LinkedObject, Objects } from "@holdall/metadata";
import type { SignedRequest } from "@holdall/object-store";
import type { DirectTransfers, TransferMode } from "./direct.ts";
import { howToRestore, LfsError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import { noPlaceFor } from "./object-key.ts";
import type { InParts, PartsOffer, PartUploads } from "./part-uploads.ts";
import type { Suspects } from "./suspects.ts";

export interface BatchOutcome {
  readonly transfer: Transfer;
  /** One for each distinct oid of the request, in its order. */
  readonly objects: readonly BatchEntry[];
  /** How long the actions work, in seconds. */
  readonly expiresIn: number;
}

export interface BatchEntry {
  readonly oid: string;
  /** As requested; the true size where the request named none. Bytes. */
  readonly size: number;
  /** Absent, with all others, when there is nothing to do: an upload of what is there already. */
  readonly upload?: BatchAction;
  readonly download?: BatchAction;
  /** The upload, with `multipart-basic`: the token lets the bearer send, join, verify and give up these parts. */
  readonly parts?: PartsOffer & { readonly token: string };
  /** What has to follow the upload, at the server: the token lets the bearer do that. */
  readonly verify?: { readonly token: string };
  readonly error?: { readonly code: 404 | 422; readonly message: string };
}

export type BatchAction =
  /** Through the server: the token lets the bearer do exactly this, and nothing else. */
  | { readonly token: string; readonly name?: DownloadName }
  /** Between the client and the store. */
  | { readonly request: SignedRequest };

/** How the bytes of one repository's objects go. */
export interface TransferPolicy {
  readonly mode: TransferMode;
  /** Objects of this size and larger, in bytes, go in parts where client and store can do that. */
  readonly multipartThreshold: number;
  /** Of parts, in bytes, where the store's limits allow it. */
  readonly partSize: number;
}

/** The names of the ways by which a client can be asked to transfer. */
export type Transfer = "basic" | "multipart-basic" | "tus";

/** One message for both cases, so that it says nothing about other repositories. */
const NOT_HERE = "the object does not exist in this repository, or you may not see it";

/** How many parts one answer names: as many as the largest object of any store has. Each takes up to a kilobyte. */
const MAX_PARTS = 50_000;

const MISSING = "the server's copy of the object is missing or damaged";

/** Decides what is to be transferred (git-lfs: docs/api/batch.md). Reserves nothing: an announced upload may never come. */
export class Batches {
  readonly #gate: Gate;
  readonly #objects: Objects;
  readonly #suspects: Suspects;
  readonly #layout: Layout;
  readonly #tokens: ActionTokens;
  readonly #direct: DirectTransfers;
  readonly #parts: PartUploads;
  readonly #policyOf: (repository: RepositoryName) => TransferPolicy;
  readonly #lifetime: number;
  readonly #maxObjects: number;

  /** @param o.lifetime of the actions, in seconds */
  constructor(o: {
    gate: Gate;
    objects: Objects;
    suspects: Suspects;
    layout: Layout;
    tokens: ActionTokens;
    direct: DirectTransfers;
    parts: PartUploads;
    policyOf: (repository: RepositoryName) => TransferPolicy;
    lifetime: number;
    maxObjects: number;
  }) {
    this.#gate = o.gate;
    this.#objects = o.objects;
    this.#suspects = o.suspects;
    this.#layout = o.layout;
    this.#tokens = o.tokens;
    this.#direct = o.direct;
    this.#parts = o.parts;
    this.#policyOf = o.policyOf;
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
    const decide = ({ text, oid, size, name: downloadName }: Asked): BatchEntry | Wanted => {
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
        return { entry: { oid, size: size ?? present ?? 0 }, size: present ?? size };
      }
      if (present === undefined) return failed(oid, size, 404, NOT_HERE);
      if (missing.has(oid)) return failed(oid, size, 404, `${MISSING}: ${howToRestore(oid)}`);
      return { entry: { oid, size: size ?? present }, size: present, name: downloadName };
    };
    const decided = asked.map(decide);
    const policy = this.#policyOf(name);
    const transfer = this.#transferFor(request, policy, decided.filter(isWanted));
    if (operation === "upload" && transfer === "multipart-basic") this.#checkParts(name, decided.filter(isWanted));
    const grant: ActionGrant = { repository: name, operation, principal: principal.name, expiresAt };
    const offer = this.#offering(grant, { transfer, policy });
    const objects = await Promise.all(decided.map(async (object) => (isWanted(object) ? await offer(object) : object)));
    return { transfer, objects, expiresIn: this.#lifetime };
  }

  /** In parts where client and store can do that and some object is large; otherwise as every client can. */
  #transferFor(
    { operation, transfers }: BatchRequest,
    { mode, multipartThreshold }: TransferPolicy,
    wanted: readonly Wanted[],
  ): Transfer {
    const offered = transfers?.length ? transfers : ["basic"];
    const basic = offered.includes("basic");
    // Clients of it fetch in one piece.
    if (operation === "download" && !basic && offered.includes("multipart-basic")) return "multipart-basic";
    const large = wanted.some(({ size = 0 }) => size >= multipartThreshold);
    if (operation === "upload" && this.#parts.possible && (large || !basic)) {
      if (offered.includes("multipart-basic")) return "multipart-basic";
      // It leads through the server.
      if (offered.includes("tus") && (mode !== "direct" || !basic)) return "tus";
    }
    if (basic) return "basic";
    throw new LfsError("invalid", "none of the transfers offered is supported: offer basic");
  }

  /** What to do, by the way that was chosen, about an object that is to be transferred. */
  #offering(
    grant: ActionGrant,
    { transfer, policy: { mode } }: { transfer: Transfer; policy: TransferPolicy },
  ): (wanted: Wanted) => BatchEntry | Promise<BatchEntry> {
    const { repository } = grant;
    const direct = this.#direct;
    const issue = this.#tokens.issue(grant);
    if (grant.operation === "download") {
      return direct.downloads(mode)
        ? async ({ entry, name }) => {
            const { oid } = entry;
            const request = await direct.download({ repository, oid }, name && contentDisposition(name));
            return { ...entry, download: { request } };
          }
        : ({ entry, size, name }) => {
            const token = issue(entry.oid, size);
            return { ...entry, download: name === undefined ? { token } : { token, name } };
          };
    }
    const throughServer = ({ entry, size }: Wanted): BatchEntry => ({
      ...entry,
      upload: { token: issue(entry.oid, size) },
    });
    if (transfer === "multipart-basic") {
      return async ({ entry, size }) => {
        const { oid } = entry;
        if (size === undefined) return failed(oid, size, 422, "an object that is to be sent in parts needs a size");
        const offer = await this.#inParts({ repository, oid, size }, { direct: mode !== "proxy" });
        return "error" in offer
          ? failed(oid, size, 422, offer.error)
          : { ...entry, parts: { ...offer, token: issue(oid, size) } };
      };
    }
    if (transfer === "tus" || !direct.uploads(mode)) return throughServer;
    const issueVerify = this.#tokens.issue({ ...grant, operation: "verify" });
    return async (object) => {
      const { entry, size } = object;
      if (size === undefined) return throughServer(object);
      const token = issueVerify(entry.oid, size);
      const request = await direct.upload({ repository, oid: entry.oid }, { size, token });
      // Too many bytes for one request.
      return request === undefined ? throughServer(object) : { ...entry, upload: { request }, verify: { token } };
    };
  }

  /** An object that cannot be sent so is no failure of the others. */
  async #inParts(object: InParts, o: { direct: boolean }): Promise<PartsOffer | { readonly error: string }> {
    try {
      return await this.#parts.offer(object, o);
    } catch (error) {
      if (error instanceof LfsError && error.code === "invalid") return { error: error.message };
      throw error;
    }
  }

  /** A batch may have few objects, and each of them ten thousand parts. */
  #checkParts(repository: RepositoryName, wanted: readonly Wanted[]): void {
    let count = 0;
    for (const { entry, size = 0 } of wanted) count += this.#parts.count({ repository, oid: entry.oid, size });
    if (count <= MAX_PARTS) return;
    throw new LfsError(
      "too-many-objects",
      `the objects of the batch have ${count} parts, the limit is ${MAX_PARTS}: ask for fewer objects at once`,
    );
  }

  #checkTerms({ objects, hash_algo: algorithm }: BatchRequest): void {
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
  }
}

/** An object that is to be transferred. */
interface Wanted {
  /** The answer without its actions. */
  readonly entry: { readonly oid: Oid; readonly size: number };
  /** Of the object in bytes, where it is known. */
  readonly size: number | undefined;
  /** What a browser is to call it. */
  readonly name?: DownloadName | undefined;
}

function isWanted(object: BatchEntry | Wanted): object is Wanted {
  return "entry" in object;
}

const NONE: ReadonlyMap<Oid, LinkedObject> = new Map();
const NO_OIDS: ReadonlySet<Oid> = new Set();

interface Asked {
  /** As the client wrote it. */
  readonly text: string;
  /** Undefined when that is none. */
  readonly oid: Oid | undefined;
  readonly size: number | undefined;
  /** What a browser is to call it. */
  readonly name: DownloadName | undefined;
}

/** Clients hang on an oid that is answered twice. The first of several counts. */
function distinct(objects: BatchRequest["objects"]): Asked[] {
  const byOid = new Map<string, Asked>();
  for (const { oid, size, "x-filename": filename, "x-disposition": disposition } of objects) {
    if (byOid.has(oid)) continue;
    const name = readDownloadName(filename, disposition);
    byOid.set(oid, { text: oid, oid: parseOid(oid), size: size ?? undefined, name });
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
