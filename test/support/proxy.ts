import type { TestContext } from "node:test";
import { type Exchange, forward, type OnTheWay } from "./forward.ts";
import { serveHttp } from "./http-server.ts";

export interface ProxyOptions {
  /** Runs when a request has arrived, before any of it is passed on. */
  readonly before?: (exchange: Exchange) => Promise<void>;
  readonly upload?: OnTheWay;
  readonly download?: OnTheWay;
}

/**
 * A line between client and server that can be bad. It keeps the client's Host header, so a server without a public URL
 * gives out addresses that lead through it.
 */
export class Proxy {
  readonly url: string;
  /** All requests so far, in the order of their arrival. */
  readonly exchanges: readonly Exchange[];

  private constructor(url: string, exchanges: readonly Exchange[]) {
    this.url = url;
    this.exchanges = exchanges;
  }

  /** @param origin where requests go, as `http://host:port` */
  static async start(t: TestContext, origin: string, options: ProxyOptions = {}): Promise<Proxy> {
    const exchanges: Exchange[] = [];
    const port = await serveHttp(t, async (incoming, response) => {
      const { method = "GET", url: path = "/", headers } = incoming;
      const exchange: Exchange = { method, path, range: headers.range, status: 0, uploaded: 0, downloaded: 0 };
      exchanges.push(exchange);
      await options.before?.(exchange);
      await forward(incoming, response, origin, exchange, options);
    });
    return new Proxy(`http://127.0.0.1:${port}`, exchanges);
  }

  /** Requests that carry the bytes of an object. */
  transfers(method: "GET" | "PUT", oid: string): Exchange[] {
    return this.exchanges.filter((exchange) => exchange.method === method && exchange.path.includes(oid));
  }
}

/** A stop on the way that a test opens: {@link Gate.reached} tells that something waits there. */
export class Gate {
  readonly #reached: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #opened: PromiseWithResolvers<void> = Promise.withResolvers();

  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  /** Waits until the gate is open. */
  pass(): Promise<void> {
    this.#reached.resolve();
    return this.#opened.promise;
  }

  open(): void {
    this.#opened.resolve();
  }
}
