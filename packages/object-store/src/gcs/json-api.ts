import { orAborted } from "./aborted.ts";
import type { GcsClient } from "./client.ts";
import { connectionError, type Doing, type Refusal, refusalError, refusalOf } from "./errors.ts";
import { type GcsObject, jsonOf, objectOf } from "./resource.ts";
import type { Incoming, Transport } from "./transport.ts";

export type Signal = AbortSignal | undefined;

/** A request, and what it is for. */
export interface Call {
  /** As in `storing objects/one`. */
  readonly what: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: Signal;
  /** Its URL itself is the permission, and gets no credentials. */
  readonly bearer?: boolean;
  /** Whether it may publish or remove something, as all but GET do unless they say otherwise. */
  readonly writes?: boolean;
}

const NO_BYTES = new Uint8Array(0);

/** Requests of the JSON API of Cloud Storage, each sent once, and their failures as StorageErrors. */
export class JsonApi {
  readonly #client: GcsClient;
  readonly #transport: Transport;

  constructor(client: GcsClient, transport: Transport) {
    this.#client = client;
    this.#transport = transport;
  }

  get bucket(): string {
    return this.#client.bucket;
  }

  /**
   * The URL of a resource of the bucket.
   * @param kind `upload` and `download` have paths of their own
   * @param path below the bucket, each segment percent-encoded
   */
  url(kind: "" | "/upload" | "/download", path: string, query: Readonly<Record<string, string | undefined>>): URL {
    const { endpoint, bucket, project } = this.#client;
    const url = new URL(`${endpoint}${kind}/storage/v1/b/${bucket}${path}`);
    for (const [name, value] of Object.entries({ ...query, userProject: project })) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  /** @returns the answer, whatever its status */
  async send(call: Call): Promise<Incoming> {
    const { method, url, signal } = call;
    // Google's servers want to be told a length, be it 0.
    const body = call.body ?? (method === "GET" ? undefined : NO_BYTES);
    const credentials = call.bearer === true ? {} : await orAborted(this.#client.credentials(call.what), signal);
    const headers = { "User-Agent": "holdall", ...credentials, ...call.headers };
    try {
      return await this.#transport.send({ method, url, headers, signal, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      throw connectionError(error, this.#doing(call));
    }
  }

  /** Reads the body of an answer. */
  async text(call: Call, answer: Incoming): Promise<string> {
    try {
      return await answer.text();
    } catch (error) {
      throw connectionError(error, this.#doing(call));
    }
  }

  /** Reads an answer that is no success. */
  async refusal(call: Call, answer: Incoming): Promise<Refusal> {
    return refusalOf(answer.status, await this.text(call, answer));
  }

  error(call: Call, refusal: Refusal): Error {
    return refusalError(refusal, this.#doing(call));
  }

  /** Sends a call whose answer is to be JSON. */
  async json(call: Call): Promise<unknown> {
    const answer = await this.send(call);
    if (answer.status !== 200) throw this.error(call, await this.refusal(call, answer));
    return jsonOf(await this.text(call, answer));
  }

  /** Sends a call whose answer is to describe an object. */
  async object(call: Call): Promise<GcsObject> {
    return objectOf(await this.json(call));
  }

  #doing({ what, method, writes = method !== "GET" }: Call): Doing {
    return { what, bucket: this.#client.bucket, writes };
  }
}
