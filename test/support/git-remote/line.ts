import type { TestContext } from "node:test";
import type { S3Service } from "../cloud-stores.ts";
import type { Exchange } from "../forward.ts";
import { Proxy, type ProxyOptions } from "../proxy.ts";
import type { Remote } from "./places.ts";

/** One request to a store: `GET holdall/manifest.json`. */
export interface Asked {
  readonly method: string;
  /** Below the repository's prefix. */
  readonly key: string;
  readonly exchange: Exchange;
}

/** An S3 server as one repository's users see it: through a line on which every request is counted, and may be held. */
export class Line implements Remote {
  readonly url: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly #proxy: Proxy;
  readonly #prefix: string;

  private constructor(server: S3Service, proxy: Proxy, bucket: string) {
    this.#proxy = proxy;
    this.#prefix = `/${bucket}/repository/`;
    this.url = `s3://${bucket}/repository`;
    this.env = { ...server.env, AWS_ENDPOINT_URL: proxy.url };
  }

  /** A line to a bucket of its own. @param o.before runs when a request has come, before any of it is passed on */
  static async to(
    t: TestContext,
    server: S3Service,
    o: Omit<ProxyOptions, "before"> & { readonly before?: (asked: Asked) => Promise<void> } = {},
  ): Promise<Line> {
    const bucket = await server.createBucket();
    const proxy = await Proxy.start(t, server.endpoint, {
      ...o,
      before: async (exchange) => await o.before?.(line.asked(exchange)),
    });
    const line = new Line(server, proxy, bucket);
    return line;
  }

  /** What was asked while something was done, in the order of arrival. */
  async during(work: () => Promise<unknown>): Promise<readonly Asked[]> {
    const before = this.#proxy.exchanges.length;
    await work();
    return this.#proxy.exchanges.slice(before).map((exchange) => this.asked(exchange));
  }

  asked(exchange: Exchange): Asked {
    const [path = ""] = exchange.path.split("?");
    const key = decodeURIComponent(path.startsWith(this.#prefix) ? path.slice(this.#prefix.length) : path);
    return { method: exchange.method, key, exchange };
  }
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^objects\/pack\/pack-[0-9a-f]+\.(pack|idx)$/, "$1"],
  [/^holdall\/log\/.*$/, "log"],
  [/^holdall\/manifest\.json$/, "manifest"],
];

/** Requests in words that do not change from one run to the next: `PUT pack`. */
export function inWords(all: readonly Asked[]): readonly string[] {
  return all.map(({ method, key }) => {
    const [pattern, word] = KINDS.find(([one]) => one.test(key)) ?? [/.*/s, "$&"];
    return `${method} ${key.replace(pattern, word)}`;
  });
}

/** Bytes of bodies. */
export function bytesOf(all: readonly Asked[], which: "uploaded" | "downloaded"): number {
  return all.reduce((sum, { exchange }) => sum + exchange[which], 0);
}
