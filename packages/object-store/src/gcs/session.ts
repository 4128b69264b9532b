import { StorageError } from "../errors.ts";
import { type Description, JSON_HEADERS, type Preconditions, preconditions, resource } from "./bucket.ts";
import type { Call, JsonApi, Signal } from "./json-api.ts";
import { uncertain } from "./publish.ts";
import { FIELDS, type GcsObject, jsonOf, objectOf } from "./resource.ts";
import { Attempts, retried } from "./retry.ts";
import type { Incoming } from "./transport.ts";

/** How far a session has come: it has made the object, or has taken so many bytes for good. */
type State = { readonly object: GcsObject } | { readonly received: number };

/** For giving a session up, whatever has become of the caller. */
const CANCEL_SECONDS = 5;

/**
 * A resumable upload: chunks one after the other, and an object when the last has come. What a broken connection has
 * swallowed is sent again from memory.
 *
 * https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload
 */
export class UploadSession {
  readonly #api: JsonApi;
  readonly #name: string;
  readonly #size: number;
  readonly #options: Description & Preconditions;
  /** A secret: whoever knows it may upload. Undefined until the first chunk needs it. */
  #url: URL | undefined;

  constructor(api: JsonApi, name: string, size: number, o: Description & Preconditions) {
    this.#api = api;
    this.#name = name;
    this.#size = size;
    this.#options = o;
  }

  /**
   * Sends a chunk that is not the last.
   * @param start where in the object it belongs, in bytes
   * @throws StorageError `conflict` when the preconditions do not hold already now; the store looks again at the end
   */
  async send(chunk: Uint8Array, start: number, signal: Signal): Promise<void> {
    if ((await this.#deliver(chunk, start, signal)) !== undefined) throw this.#unexpected("an object before its end");
  }

  /** Sends the last chunk, and so publishes the object. */
  async finish(chunk: Uint8Array, start: number, signal: Signal): Promise<GcsObject> {
    const object = await this.#deliver(chunk, start, signal);
    if (object === undefined) throw this.#unexpected("no object after its last byte");
    return object;
  }

  /** Gives the session up, as well as that can be done. */
  async cancel(): Promise<void> {
    const url = this.#url;
    if (url === undefined) return;
    const signal = AbortSignal.timeout(CANCEL_SECONDS * 1000);
    const call: Call = { what: `giving up ${this.#name}`, method: "DELETE", url, bearer: true, signal };
    try {
      await this.#api.text(call, await this.#api.send(call));
    } catch {
      // Then it goes away by itself within a week, unseen until then.
    }
  }

  /** Sends the chunk, as often and from where it must. @returns the object, when that completed it */
  async #deliver(chunk: Uint8Array, start: number, signal: Signal): Promise<GcsObject | undefined> {
    const url = (this.#url ??= await this.#start(signal));
    const attempts = new Attempts(signal);
    let lost = false;
    try {
      for (let sent = 0; ;) {
        let state: State;
        try {
          state = await this.#put(url, chunk.subarray(sent), start + sent, signal);
        } catch (error) {
          lost ||= error instanceof StorageError && error.uncertain;
          await attempts.again(error);
          state = await retried(() => this.#ask(url, signal), signal);
        }
        if ("object" in state) return this.#checked(state.object);
        const taken = state.received - start;
        if (taken < sent || taken > chunk.length) throw this.#unexpected(`to have ${state.received} bytes`);
        if (taken === chunk.length) return undefined;
        if (taken > sent) attempts.progress();
        sent = taken;
      }
    } catch (error) {
      throw lost ? uncertain(error) : error;
    }
  }

  async #start(signal: Signal): Promise<URL> {
    const query = { uploadType: "resumable", name: this.#name, fields: FIELDS, ...preconditions(this.#options) };
    const call: Call = {
      what: `beginning to store ${this.#name}`,
      method: "POST",
      url: this.#api.url("/upload", "/o", query),
      headers: { ...JSON_HEADERS, "X-Upload-Content-Length": String(this.#size) },
      body: Buffer.from(resource(this.#options)),
      signal,
      // A session that nobody hears of stores nothing.
      writes: false,
    };
    return await retried(async () => {
      const answer = await this.#api.send(call);
      if (answer.status !== 200 && answer.status !== 201) {
        throw this.#api.error(call, await this.#api.refusal(call, answer));
      }
      await this.#api.text(call, answer);
      const url = URL.parse(answer.headers.location ?? "");
      if (url === null) throw this.#unexpected("to have begun a session, and does not say where");
      return url;
    }, signal);
  }

  async #put(url: URL, body: Uint8Array, start: number, signal: Signal): Promise<State> {
    const end = start + body.length;
    const headers = { "Content-Range": `bytes ${start}-${end - 1}/${this.#size}` };
    return await this.#state(url, { headers, body, signal, writes: end === this.#size });
  }

  /** How far has it come? */
  async #ask(url: URL, signal: Signal): Promise<State> {
    return await this.#state(url, { headers: { "Content-Range": `bytes */${this.#size}` }, signal, writes: false });
  }

  async #state(url: URL, o: Pick<Call, "headers" | "body" | "signal" | "writes">): Promise<State> {
    const call: Call = { ...o, what: `storing ${this.#name}`, method: "PUT", url, bearer: true };
    const answer = await this.#api.send(call);
    if (answer.status === 308) {
      await this.#api.text(call, answer);
      return { received: receivedOf(answer) };
    }
    if (answer.status !== 200 && answer.status !== 201) {
      throw this.#api.error(call, await this.#api.refusal(call, answer));
    }
    return { object: objectOf(jsonOf(await this.#api.text(call, answer))) };
  }

  #checked(object: GcsObject): GcsObject {
    if (object.size !== this.#size) throw this.#unexpected(`an object of ${object.size} bytes`);
    return object;
  }

  #unexpected(what: string): StorageError {
    const message = `storing ${this.#name} failed: of ${this.#size} bytes the store claims ${what}`;
    return new StorageError("unavailable", message, { uncertain: true });
  }
}

/** Without the header the session has nothing yet. */
function receivedOf({ headers }: Incoming): number {
  const last = /^bytes=0-(\d+)$/.exec(headers["range"] ?? "")?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}
