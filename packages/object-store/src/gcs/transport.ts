import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/** Until nothing happening on a connection counts as a failure. */
const IDLE_SECONDS = 30;

/**
 * Requests over connections that are kept. Of its own rather than the SDK's, which takes no AbortSignal, hides what
 * becomes of a connection, and repeats what must not be repeated.
 */
export class Transport {
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly #idle: number;

  /** @param idleSeconds how long a connection may stand still while it is waited for */
  constructor(idleSeconds: number = IDLE_SECONDS) {
    // Only emulators speak http, and no proxy leads to them; otherwise HTTPS_PROXY and NO_PROXY count.
    const https = new HttpsAgent({ keepAlive: true, proxyEnv: process.env });
    this.#agents = { http: new HttpAgent({ keepAlive: true }), https };
    this.#idle = idleSeconds * 1000;
  }

  /**
   * Sends a request, follows nowhere, and resolves when the head of the answer has come, whatever its status.
   * @throws the signal's reason, or an error of the connection, which has a `code`
   */
  async send({ method, url, headers, body, signal }: HttpRequest): Promise<Incoming> {
    signal?.throwIfAborted();
    const options = {
      method,
      headers: body === undefined ? headers : { ...headers, "Content-Length": String(body.length) },
    };
    const request =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, agent: this.#agents.https })
        : httpRequest(url, { ...options, agent: this.#agents.http });
    request.setTimeout(this.#idle, () => request.destroy(stoodStill(this.#idle)));
    const abort = (): void => void request.destroy(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.once("response", resolve).on("error", reject).end(body);
      });
      // From here on only those who wait for bytes know whether it is the store that keeps them waiting.
      request.setTimeout(0);
      return new Incoming(response, signal, this.#idle);
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

/** The answer to a request. Its body must be read to its end or returned; either frees the connection. */
export class Incoming implements AsyncIterableIterator<Uint8Array> {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly #response: IncomingMessage;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  readonly #idle: number;
  #over = false;

  constructor(response: IncomingMessage, signal: AbortSignal | undefined, idle: number) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.#response = response;
    this.#chunks = response[Symbol.asyncIterator]();
    this.#signal = signal;
    this.#idle = idle;
    signal?.addEventListener("abort", this.#abort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @throws the signal's reason, or an error of the connection, which has a `code` */
  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#over) return { done: true, value: undefined };
    const timer = setTimeout(() => this.#response.destroy(stoodStill(this.#idle)), this.#idle);
    try {
      this.#signal?.throwIfAborted();
      const step = await this.#chunks.next();
      if (step.done !== true && !this.#over) return step;
      this.#end();
      return { done: true, value: undefined };
    } catch (error) {
      // Returned by someone else meanwhile: then the connection was cut from here.
      if (this.#over) return { done: true, value: undefined };
      this.#end();
      this.#response.destroy();
      throw this.#signal?.aborted === true ? this.#signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Cuts the connection unless the body has ended. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#over) {
      this.#end();
      this.#response.destroy();
    }
    return { done: true, value: undefined };
  }

  /** Reads a small body whole. */
  async text(): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  #end(): void {
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => void this.#response.destroy();
}

function stoodStill(milliseconds: number): Error {
  return Object.assign(new Error(`nothing came for ${milliseconds / 1000} s`), { code: "ETIMEDOUT" });
}
