import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger } from "fastify";

/** One request and its answer, from its first header to its last byte. */
export class Exchange {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Where it comes from, as far as trusted proxies say. */
  readonly ip: string;
  /** As the client sent it, but for the query, which is where action tokens are. */
  readonly path: string;
  /** Who it is served for, for the log; undefined until that is known. */
  servedFor: string | undefined;
  readonly #logger: FastifyBaseLogger;
  readonly #began = performance.now();

  constructor(o: {
    readonly id: string;
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly ip: string;
    readonly logger: FastifyBaseLogger;
  }) {
    this.id = o.id;
    this.request = o.request;
    this.response = o.response;
    this.ip = o.ip;
    this.#logger = o.logger;
    const url = o.request.url ?? "/";
    const query = url.indexOf("?");
    this.path = query < 0 ? url : url.slice(0, query);
  }

  /** For operators: what went wrong that is not the client's doing. */
  logError(error: unknown, message: string): void {
    this.#logger.error({ reqId: this.id, err: error }, message);
  }

  /** The line that each request has in the log, when it is answered or its connection is gone. */
  logAnswer(): void {
    const { request, response } = this;
    this.#logger.info(
      {
        reqId: this.id,
        method: request.method,
        path: this.path,
        status: response.statusCode,
        ms: Math.round((performance.now() - this.#began) * 10) / 10,
        by: this.servedFor,
        ip: this.ip,
      },
      response.writableFinished ? "answered" : "the connection closed before the answer was complete",
    );
  }
}
