import { setTimeout as delay } from "node:timers/promises";
import {
  AnonymousCredential,
  BlobServiceClient,
  newPipeline,
  type BlockBlobClient,
  type ContainerClient,
  type StorageRetryOptions,
} from "@azure/storage-blob";
import { StorageError } from "../errors.ts";
import { Connections } from "./connections.ts";
import type { AzureAccess, AzureCredential } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { azureError, noAnswerWithin, type Attempt, type Permission } from "./errors.ts";
import { formatAzureUrl, type AccessTier, type AzureLocation } from "./options.ts";
import { DelegationKeys, Signer, type Signature } from "./signer.ts";

/**
 * What a request may wait for an answer, in milliseconds, besides what its bytes take. A write without one is looked for
 * once: twice this, and not the two minutes that callers may be willing to wait.
 */
const PATIENCE = 50_000;

/** For requests that may be sent again without harm. */
const SEVERAL: StorageRetryOptions = { maxTries: 4, retryDelayInMs: 500, maxRetryDelayInMs: 10_000 };
const ONCE: StorageRetryOptions = { maxTries: 1 };

/** What lets the service read the source of a copy. */
const SCOPE = "https://storage.azure.com/.default";
const SOURCE_MILLISECONDS = 60 * 60_000;

/** What is asked for, and what may end it. */
export interface Call {
  /** As in "storing objects/one". */
  readonly doing: string;
  readonly needs: Permission;
  readonly signal?: AbortSignal | undefined;
  /** How many bytes are moved by it. */
  readonly bytes?: number;
}

/** Where the service itself reads what it copies. */
export interface CopySource {
  readonly url: string;
  readonly options: { readonly sourceAuthorization?: { scheme: "Bearer"; value: string } };
}

/** One container, and what lets us in. Asks nothing by itself. */
export class AzureClient {
  readonly container: ContainerClient;
  /** The container's store URL. */
  readonly at: string;
  readonly accessTier: AccessTier | undefined;
  /** Whether requests can be signed for others. With a SAS they cannot: it makes no further ones. */
  readonly signs: boolean;
  readonly #once: ContainerClient;
  readonly #connections: Connections;
  readonly #credential: AzureCredential;
  readonly #signer: Signer | undefined;
  readonly #publicUrl: string;
  readonly #patience: number;

  /** @param o.patience what a request may wait for an answer, in milliseconds */
  constructor(location: AzureLocation, { credential, endpoint }: AzureAccess, o: { readonly patience?: number } = {}) {
    const { account, container, publicEndpoint = endpoint, accessTier } = location;
    this.#connections = new Connections(endpoint);
    const service = serviceOf(endpoint, credential, this.#connections, SEVERAL);
    this.container = service.getContainerClient(container);
    this.#once = serviceOf(endpoint, credential, this.#connections, ONCE).getContainerClient(container);
    this.at = formatAzureUrl({ kind: "az", account, container });
    this.accessTier = accessTier;
    this.#credential = credential;
    this.#signer = this.#signerFor(account, service);
    this.signs = this.#signer !== undefined;
    this.#publicUrl = `${publicEndpoint}/${container}`;
    this.#patience = o.patience ?? PATIENCE;
  }

  /** For requests that may be sent again without harm: the SDK does so a few times when there is no good answer. */
  blob(name: string): BlockBlobClient {
    return this.container.getBlockBlobClient(name);
  }

  /** For requests that are sent once, because after a second one nobody could tell what the first has done. */
  blobOnce(name: string): BlockBlobClient {
    return this.#once.getBlockBlobClient(name);
  }

  /**
   * Sends a request; ends it when the signal is aborted, or when there is no answer for too long.
   * @param request gets the signal to send it with, and the deadline, which it may move
   * @throws StorageError for whatever Azure or the network has against it; the signal's reason
   */
  async ask<T>(call: Call, request: (abortSignal: AbortSignal, deadline: Deadline) => Promise<T>): Promise<T> {
    const { signal, bytes } = call;
    signal?.throwIfAborted();
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal?.addEventListener("abort", onAbort);
    const deadline = this.deadline(() => stop.abort());
    deadline.start(bytes);
    try {
      return await request(stop.signal, deadline);
    } catch (error) {
      signal?.throwIfAborted();
      if (deadline.struck) throw this.late(call);
      throw azureError(error, this.#attempt(call));
    } finally {
      deadline.stop();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  deadline(strike: () => void): Deadline {
    return new Deadline(this.#patience, strike);
  }

  late(call: Call): StorageError {
    return noAnswerWithin(this.#patience / 1000, this.#attempt(call));
  }

  /** Signs a request for others. Only where it {@link signs}. */
  async sign(
    blob: string,
    o: { readonly permissions: string; readonly expiresAt: Date; readonly disposition?: string | undefined },
  ): Promise<Signature & { readonly url: string }> {
    if (this.#signer === undefined) {
      throw new StorageError(
        "unsupported",
        "requests cannot be signed with AZURE_STORAGE_SAS_TOKEN: give the account's key or an identity",
      );
    }
    const url = `${this.#publicUrl}/${blob.split("/").map(encodeURIComponent).join("/")}`;
    const container = this.container.containerName;
    return { url, ...(await this.#signer.sign({ container, blob, url, ...o })) };
  }

  /** The blob as the service itself may read it. */
  async source(blob: string, call: Call): Promise<CopySource> {
    // With a SAS, the address has it already.
    const { url } = this.container.getBlobClient(blob);
    if (this.#credential.kind === "identity") {
      const { identity } = this.#credential;
      const token = await this.ask(call, (abortSignal) => identity.getToken(SCOPE, { abortSignal }));
      return { url, options: { sourceAuthorization: { scheme: "Bearer", value: token?.token ?? "" } } };
    }
    const signature = await this.#signer?.sign({
      container: this.container.containerName,
      blob,
      permissions: "r",
      expiresAt: new Date(Date.now() + SOURCE_MILLISECONDS),
      url,
    });
    return { url: signature === undefined ? url : `${url}?${signature.query}`, options: {} };
  }

  /** Closes the connections; calls that are under way fail. */
  close(): void {
    this.#connections.close();
  }

  #attempt({ doing, needs }: Call): Attempt {
    return { doing, needs, at: this.at };
  }

  #signerFor(account: string, service: BlobServiceClient): Signer | undefined {
    switch (this.#credential.kind) {
      case "sas":
        return undefined;
      case "key":
        return new Signer(this.#credential.key);
      case "identity": {
        const call: Call = { doing: "fetching a key to sign requests with", needs: "sign" };
        return new Signer(
          new DelegationKeys(account, (startsOn, expiresOn) =>
            this.ask(call, (abortSignal) => service.getUserDelegationKey(startsOn, expiresOn, { abortSignal })),
          ),
        );
      }
    }
  }
}

/** Waits, each time longer, and never as long as others do. @param attempt from 1 */
export async function backOff(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = 200 * 2 ** attempt;
  try {
    await delay(longest * (0.5 + Math.random() / 2), undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function serviceOf(
  endpoint: string,
  credential: AzureCredential,
  connections: Connections,
  retryOptions: StorageRetryOptions,
): BlobServiceClient {
  const pipeline = newPipeline(sdkCredential(credential), {
    retryOptions,
    userAgentOptions: { userAgentPrefix: "holdall" },
  });
  pipeline.factories.push(connections);
  return new BlobServiceClient(credential.kind === "sas" ? `${endpoint}?${credential.token}` : endpoint, pipeline);
}

function sdkCredential(credential: AzureCredential): Parameters<typeof newPipeline>[0] {
  switch (credential.kind) {
    case "key":
      return credential.key;
    case "identity":
      return credential.identity;
    case "sas":
      return new AnonymousCredential();
  }
}
