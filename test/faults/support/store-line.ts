import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { atEnd } from "../../support/at-end.ts";
import type { CloudStore } from "../../support/cloud-stores.ts";
import { type Exchange, forward, type OnTheWay } from "../../support/forward.ts";

/** What a store says instead of doing what it is asked. */
export interface Refusal {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/** What happens to requests on their way to a store and to its answers. */
export interface Trouble {
  /** Undefined for requests that get through. */
  readonly refusal?: (exchange: Exchange) => Refusal | undefined;
  readonly upload?: OnTheWay;
  readonly download?: OnTheWay;
}

/** A line to a store of any kind, which can be bad, or cut. */
export class StoreLine {
  /** The store at the end of the line. */
  readonly store: CloudStore;
  /** All requests so far, in the order of their arrival. */
  readonly exchanges: Exchange[] = [];
  /** None, unless a story sets some. */
  trouble: Trouble = {};
  readonly #server: Server;
  readonly #port: number;

  private constructor(server: Server, { url, env }: CloudStore) {
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    const through = new URL(url);
    const endpoint = new URL(through.searchParams.get("endpoint") ?? env["AWS_ENDPOINT_URL"] ?? "");
    const { origin } = endpoint;
    endpoint.port = String(this.#port);
    through.searchParams.set("endpoint", endpoint.href.replace(/\/$/, ""));
    this.store = { url: through.href, env };
    server.on("request", (incoming, response) => void this.#pass(incoming, response, origin));
  }

  static async start(t: TestContext, store: CloudStore): Promise<StoreLine> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const line = new StoreLine(server, store);
    atEnd(t, async () => {
      if (server.listening) await line.cut();
    });
    return line;
  }

  /** Breaks all connections, and refuses new ones. */
  async cut(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async mend(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse, origin: string): Promise<void> {
    const { method = "GET", url: path = "/", headers } = incoming;
    const exchange: Exchange = { method, path, range: headers.range, status: 0, uploaded: 0, downloaded: 0 };
    this.exchanges.push(exchange);
    const { refusal, ...onTheWay } = this.trouble;
    const refused = refusal?.(exchange);
    if (refused === undefined) return await forward(incoming, response, origin, exchange, onTheWay);
    // Clients listen when they have sent everything; one that goes away meanwhile hears nothing.
    incoming.on("error", () => {}).resume();
    incoming.on("end", () => {
      exchange.status = refused.status;
      response.writeHead(refused.status, { ...refused.headers, "Content-Length": Buffer.byteLength(refused.body) });
      response.end(method === "HEAD" ? undefined : refused.body);
    });
  }
}

/** The connection breaks after so many bytes. */
export function cutAfter(bytes: number): OnTheWay {
  return async function* (_, body) {
    let left = bytes;
    for await (const chunk of body) {
      if (left > 0) yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left < 0) throw new Error("the line is cut");
    }
  };
}
