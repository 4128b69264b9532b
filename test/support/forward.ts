import { type IncomingMessage, request, type ServerResponse } from "node:http";

/** One request and its answer, as they passed by. */
export interface Exchange {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly range: string | undefined;
  /** 0 until the server has answered. */
  status: number;
  /** Bytes of the body that were passed on to the server. */
  uploaded: number;
  /** Bytes of the body that were passed on to the client. */
  downloaded: number;
}

/** What may happen to a body on its way: chunks are held back, left out, or an error thrown, which cuts both connections. */
export type OnTheWay = (exchange: Exchange, body: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

export interface ForwardOptions {
  /** Set on the request as the server sees it; undefined takes a header away. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly upload?: OnTheWay;
  readonly download?: OnTheWay;
}

/** Passes a request on to `origin` and the answer back. A failure on either side cuts the client's connection. */
export async function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  origin: string,
  exchange: Exchange,
  options: ForwardOptions = {},
): Promise<void> {
  const onward = request(new URL(incoming.url ?? "/", origin), {
    method: exchange.method,
    headers: { ...incoming.headers, ...options.headers },
    // A kept connection could be closed by the server between two requests, which is not what any story is about.
    agent: false,
  });
  try {
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      onward.once("response", resolve).once("error", reject);
    });
    // Seen below; until then a failure must not count as unhandled.
    answer.catch(() => {});
    const upload = options.upload ?? passOn;
    for await (const chunk of upload(exchange, incoming)) {
      await flushed(onward, chunk);
      exchange.uploaded += chunk.length;
    }
    onward.end();
    const answered = await answer;
    exchange.status = answered.statusCode ?? 0;
    response.writeHead(exchange.status, answered.headers);
    const download = options.download ?? passOn;
    for await (const chunk of download(exchange, answered)) {
      await flushed(response, chunk);
      exchange.downloaded += chunk.length;
    }
    response.end();
  } catch {
    onward.destroy();
    response.destroy();
  }
}

const passOn: OnTheWay = (_, body) => body;

/** Writes a chunk and waits until the operating system has it, so that a cut comes after it and not instead of it. */
function flushed(
  to: { write: (chunk: Buffer, done: (error?: Error | null) => void) => unknown },
  chunk: Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    to.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}
