import type { IncomingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { type Exchange, forward, type OnTheWay } from "../../../../test/support/forward.ts";
import { serveHttp } from "../../../../test/support/http-server.ts";

/** What happens to a request on its way. */
export type Fault =
  /** It is answered in the store's place. */
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection breaks before the store hears of it, or before its answer comes back. */
  | { readonly lost: "request" | "answer" }
  /** The store does what it is asked, and its answer never comes. */
  | { readonly silent: true }
  /** The bytes go through this. */
  | { readonly upload?: OnTheWay; readonly download?: OnTheWay };

export interface Passing extends Exchange {
  readonly headers: IncomingHttpHeaders;
}

/** For tests: a line to a store that remembers what went over it, and fails where it is told to. */
export class BadLine {
  readonly url: string;
  /** All requests so far, in the order of their arrival. */
  readonly passings: readonly Passing[];

  private constructor(url: string, passings: readonly Passing[]) {
    this.url = url;
    this.passings = passings;
  }

  /** @param plan asked for each request; undefined lets it pass */
  static async start(t: TestContext, origin: string, plan: (passing: Passing) => Fault | undefined): Promise<BadLine> {
    const passings: Passing[] = [];
    const port = await serveHttp(t, async (incoming, response) => {
      const { method = "GET", url: path = "/", headers } = incoming;
      const passing = { method, path, headers, range: headers.range, status: 0, uploaded: 0, downloaded: 0 };
      passings.push(passing);
      const fault = plan(passing) ?? {};
      if ("status" in fault) {
        await text(incoming);
        response.writeHead(fault.status, fault.headers).end(fault.body);
      } else if ("lost" in fault && fault.lost === "request") {
        response.destroy();
      } else {
        await forward(incoming, response, origin, passing, onTheWay(fault));
      }
    });
    return new BadLine(`http://127.0.0.1:${port}`, passings);
  }

  /** The requests as `METHOD /path`, without what names the bucket, the API and the session. */
  get requests(): string[] {
    return this.passings.map(({ method, path }) => {
      const { pathname, searchParams } = new URL(path, this.url);
      const short = pathname.replace(/^(\/\w+)?\/storage\/v1\/b\/[^/]+/, "$1").replaceAll(/\/b\/[^/]+/g, "");
      return `${method} ${decodeURIComponent(short)}${searchParams.has("upload_id") ? "?session" : ""}`;
    });
  }
}

/** Lets so many bytes through, and then cuts the connection. */
export function cutAfter(bytes: number): OnTheWay {
  return async function* (_, body) {
    let left = bytes;
    for await (const chunk of body) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left < 0) throw new Error("cut");
    }
  };
}

function onTheWay(fault: Exclude<Fault, { readonly status: number }>): { upload?: OnTheWay; download?: OnTheWay } {
  if ("lost" in fault) return { download: cutAfter(-1) };
  if ("silent" in fault) return { download: never };
  return fault;
}

// oxlint-disable-next-line require-yield
async function* never(): AsyncGenerator<Buffer> {
  await new Promise<never>(() => undefined);
}
