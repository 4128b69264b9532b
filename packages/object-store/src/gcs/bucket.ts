import { randomUUID } from "node:crypto";
import { StorageError } from "../errors.ts";
import { isBucketMissing, type Refusal } from "./errors.ts";
import type { Call, JsonApi, Signal } from "./json-api.ts";
import { FIELDS, type GcsObject, jsonOf, objectOf, recordOf } from "./resource.ts";
import { retried } from "./retry.ts";
import type { Incoming } from "./transport.ts";

/** A call fails with `conflict` unless these hold. Generation 0 is that of an object that is not there. */
export interface Preconditions {
  readonly ifGenerationMatch?: string | undefined;
  readonly ifSourceGenerationMatch?: string | undefined;
}

/** What a new object is to be beside its bytes. */
export interface Description {
  readonly contentType?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An object, and nothing but this generation of it. */
export interface Source {
  readonly name: string;
  readonly generation: string;
}

export interface Page {
  readonly objects: readonly GcsObject[];
  /** What to ask the next page with; undefined after the last. */
  readonly token: string | undefined;
}

export const JSON_HEADERS: Readonly<Record<string, string>> = { "Content-Type": "application/json; charset=UTF-8" };

const PAGE = "1000";

/**
 * What the adapter asks of one bucket, each a method and a request. Reads, and writes that need no answer to be right,
 * are tried again when they fail for the moment; the others say that they are sent once.
 *
 * https://cloud.google.com/storage/docs/json_api/v1/objects
 */
export class GcsBucket {
  readonly #api: JsonApi;

  constructor(api: JsonApi) {
    this.#api = api;
  }

  /** Undefined means absent. */
  async stat(name: string, signal: Signal): Promise<GcsObject | undefined> {
    return await retried(() => this.look(name, signal), signal);
  }

  /** As {@link stat}, but sent once. */
  async look(name: string, signal: Signal): Promise<GcsObject | undefined> {
    const url = this.#api.url("", pathOf(name), { fields: FIELDS });
    const call: Call = { what: `looking for ${name}`, method: "GET", url, signal };
    const answer = await this.#api.send(call);
    if (answer.status === 200) return objectOf(jsonOf(await this.#api.text(call, answer)));
    const refusal = await this.#api.refusal(call, answer);
    if (isObjectMissing(refusal)) return undefined;
    throw this.#api.error(call, refusal);
  }

  /**
   * Opens the object for reading: an answer with status 200, or 206 where a range was asked for.
   * @param range as in the header of that name
   * @returns what the store says when there is no such object, or no such range of it
   */
  async download(name: string, range: string | undefined, signal: Signal): Promise<Incoming | Refusal> {
    const url = this.#api.url("/download", pathOf(name), { alt: "media" });
    // Accepting gzip keeps Cloud Storage from decompressing what somebody stored as gzip: the bytes come as they are.
    const headers = { "Accept-Encoding": "gzip", ...(range === undefined ? {} : { Range: range }) };
    const call: Call = { what: `reading ${name}`, method: "GET", url, headers, signal };
    return await retried(async () => {
      const answer = await this.#api.send(call);
      if (answer.status === 200 || answer.status === 206) return answer;
      const refusal = await this.#api.refusal(call, answer);
      if (isObjectMissing(refusal) || refusal.status === 416) return refusal;
      throw this.#api.error(call, refusal);
    }, signal);
  }

  /** Stores an object in one request, sent once. */
  async insert(name: string, bytes: Uint8Array, o: Description & Preconditions, signal: Signal): Promise<GcsObject> {
    const boundary = randomUUID();
    const head =
      `--${boundary}\r\nContent-Type: ${JSON_HEADERS["Content-Type"]}\r\n\r\n${resource(o)}\r\n` +
      `--${boundary}\r\nContent-Type: ${o.contentType ?? "application/octet-stream"}\r\n\r\n`;
    return await this.#api.object({
      what: `storing ${name}`,
      method: "POST",
      url: this.#api.url("/upload", "/o", { uploadType: "multipart", name, fields: FIELDS, ...preconditions(o) }),
      headers: { "Content-Type": `multipart/related; boundary=${boundary}` },
      body: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--`)]),
      signal,
    });
  }

  /**
   * Removes an object, or one generation of it.
   * @param generation that one and no other, whether or not the bucket keeps old ones
   */
  async remove(name: string, generation: string | undefined, signal: Signal): Promise<void> {
    await retried(() => this.#remove(name, { generation }, signal), signal);
  }

  /** Removes an object if this is its generation; sent once. @returns false when there is none */
  async removeIf(name: string, generation: string, signal: Signal): Promise<boolean> {
    return await this.#remove(name, { ifGenerationMatch: generation }, signal);
  }

  async #remove(name: string, query: Readonly<Record<string, string | undefined>>, signal: Signal): Promise<boolean> {
    const url = this.#api.url("", pathOf(name), query);
    const call: Call = { what: `deleting ${name}`, method: "DELETE", url, signal };
    const answer = await this.#api.send(call);
    if (answer.status < 300) {
      await this.#api.text(call, answer);
      return true;
    }
    const refusal = await this.#api.refusal(call, answer);
    if (isObjectMissing(refusal)) return false;
    throw this.#api.error(call, refusal);
  }

  /**
   * One page of the objects whose names begin with `prefix`, in byte order.
   * @param from names from this one on
   * @param token that the page before came with
   */
  async page(prefix: string, from: string | undefined, token: string | undefined, signal: Signal): Promise<Page> {
    const url = this.#api.url("", "/o", {
      prefix: prefix === "" ? undefined : prefix,
      startOffset: from,
      pageToken: token,
      maxResults: PAGE,
      fields: `items(${FIELDS}),nextPageToken`,
    });
    const call: Call = { what: `listing ${prefix === "" ? "objects" : prefix}`, method: "GET", url, signal };
    const { items = [], nextPageToken } = recordOf(await retried(() => this.#api.json(call), signal));
    return {
      objects: Array.isArray(items) ? items.map(objectOf) : [],
      token: typeof nextPageToken === "string" && nextPageToken !== "" ? nextPageToken : undefined,
    };
  }

  /** All objects whose names begin with `prefix`, in byte order. */
  async *list(prefix: string, signal: Signal): AsyncGenerator<GcsObject> {
    let token: string | undefined;
    do {
      const page: Page = await this.page(prefix, undefined, token, signal);
      yield* page.objects;
      token = page.token;
    } while (token !== undefined);
  }

  /** Copies within the bucket. Each request is sent once; of what takes long there are several. */
  async rewrite(from: string, to: string, o: Description & Preconditions, signal: Signal): Promise<GcsObject> {
    const path = `${pathOf(from)}/rewriteTo/b/${this.#api.bucket}${pathOf(to)}`;
    let rewriteToken: string | undefined;
    do {
      const answer = await this.#api.json({
        what: `copying ${from} to ${to}`,
        method: "POST",
        url: this.#api.url("", path, { rewriteToken, ...preconditions(o) }),
        headers: JSON_HEADERS,
        body: Buffer.from(resource(o)),
        signal,
      });
      const { done, rewriteToken: token, resource: copy } = recordOf(answer);
      if (done === true) return objectOf(copy);
      rewriteToken = typeof token === "string" ? token : undefined;
    } while (rewriteToken !== undefined);
    throw new StorageError("unavailable", `copying ${from} to ${to} failed: the store does not say how to go on`);
  }

  /** Makes an object of at most 32 others; sent once. */
  async compose(
    sources: readonly Source[],
    to: string,
    o: Description & Preconditions,
    signal: Signal,
  ): Promise<GcsObject> {
    const sourceObjects = sources.map(({ name, generation }) => ({ name, generation }));
    return await this.#api.object({
      what: `putting ${to} together`,
      method: "POST",
      url: this.#api.url("", `${pathOf(to)}/compose`, { fields: FIELDS, ...preconditions(o) }),
      headers: JSON_HEADERS,
      body: Buffer.from(`{"sourceObjects":${JSON.stringify(sourceObjects)},"destination":${resource(o)}}`),
      signal,
    });
  }
}

/** Whether it is the object that is not there, rather than the bucket. */
function isObjectMissing(refusal: Refusal): boolean {
  return refusal.status === 404 && !isBucketMissing(refusal);
}

export function preconditions({ ifGenerationMatch, ifSourceGenerationMatch }: Preconditions): Preconditions {
  return { ifGenerationMatch, ifSourceGenerationMatch };
}

/** The description of a new object in JSON. @throws StorageError `invalid` for a content type that no header can hold */
export function resource({ contentType, storageClass, metadata }: Description): string {
  if (contentType !== undefined && !/^[\x20-\x7e]+$/.test(contentType)) {
    throw new StorageError("invalid", `${JSON.stringify(contentType.slice(0, 100))} is no content type`);
  }
  return JSON.stringify({ contentType, storageClass, metadata });
}

function pathOf(name: string): string {
  return `/o/${encodeURIComponent(name)}`;
}
