import proxyAddr from "@fastify/proxy-addr";
import { LfsError } from "@holdall/lfs-service";
import fastify, { LogController, type FastifyInstance, type FastifyRequest } from "fastify";
import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerClientError } from "./client-error.ts";
import { Connections } from "./connections.ts";
import type { RouteContext } from "./context.ts";
import { BadRequestError, LateBodyError, NOTHING_HERE } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { createHttpServer } from "./http-server.ts";
import type { LfsServerOptions } from "./options.ts";
import { batchRoute } from "./routes/batch.ts";
import { healthRoutes } from "./routes/health.ts";
import { lockRoutes, wire } from "./routes/locks.ts";
import { ObjectRoutes } from "./routes/objects.ts";
import { UploadRoutes } from "./routes/uploads.ts";
import { verifyRoute } from "./routes/verify.ts";
import { refuse, sendError } from "./send-error.ts";
import { parseTarget } from "./urls.ts";
import { validationMessage } from "./validation-message.ts";

/** A body of JSON is small; whoever takes this long to send one (milliseconds) keeps a place that others need. */
const JSON_BODY_TIMEOUT = 60_000;

const UNKNOWN_EXPECTATION = { status: 417, message: "the server meets no Expect but 100-continue: leave it out" };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * An HTTP server that offers Git LFS. Every request begins here, as an {@link Exchange}; the bytes of objects are then
 * answered directly, and all else by Fastify.
 */
export class LfsServer {
  readonly #server: Server;
  readonly #app: FastifyInstance;
  readonly #objects: ObjectRoutes;
  readonly #uploads: UploadRoutes;
  readonly #connections: Connections;
  readonly #options: LfsServerOptions;
  /** Of the requests that Fastify answers. */
  readonly #exchanges = new WeakMap<IncomingMessage, Exchange>();
  readonly #newId = requestIds();
  readonly #ipOf: (request: IncomingMessage) => string;
  /** The path of the public URL. */
  readonly #basePath: string;
  #draining = false;

  constructor(o: LfsServerOptions) {
    this.#options = o;
    this.#basePath = o.publicUrl === undefined ? "" : new URL(o.publicUrl).pathname.replace(/\/$/, "");
    this.#ipOf = ipReader(o.trustedProxies);
    this.#server = createHttpServer(o.limits);
    this.#connections = new Connections(this.#server);
    this.#server.on("checkExpectation", (request, response) => {
      sendError(this.#begin(request, response), UNKNOWN_EXPECTATION);
    });

    const { service, authenticator } = o;
    const context: RouteContext = { service, authenticator, publicUrl: o.publicUrl?.replace(/\/$/, "") };
    this.#objects = new ObjectRoutes(context);
    this.#uploads = new UploadRoutes(context);
    this.#app = this.#makeApp(context);
  }

  /** Begins to serve; resolves with the address when it does. */
  async listen(o: { host: string; port: number }): Promise<AddressInfo> {
    await this.#app.listen(o);
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no network address");
    return address;
  }

  /**
   * Takes no new work, lets what is under way finish, and closes. Requests that still come in on open connections are
   * asked to come back; by then someone else serves, or the client tries again.
   * @param timeout in milliseconds; what is under way then is cut
   * @returns whether everything finished
   */
  async drain(timeout: number): Promise<boolean> {
    this.#draining = true;
    const server = this.#server;
    let finished = true;
    const timer = setTimeout(() => {
      finished = false;
      server.closeAllConnections();
    }, timeout);
    // A server that closes looks no more for requests that take too long to arrive.
    const headersTimer = setTimeout(() => this.#connections.closeWithoutRequest(), this.#options.limits.headersTimeout);
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
      this.#connections.closeUnused();
    });
    clearTimeout(timer);
    clearTimeout(headersTimer);
    await this.#app.close();
    return finished;
  }

  /** Begins an exchange and hands it to whom it concerns. */
  #receive(request: IncomingMessage, response: ServerResponse, app: Handler): void {
    const exchange = this.#begin(request, response);
    const { url = "/" } = request;
    const { urlBytes } = this.#options.limits;
    const target = parseTarget(url, this.#basePath);
    if (url.length > urlBytes) {
      sendError(exchange, { status: 414, message: `the URL is longer than ${urlBytes} bytes` });
    } else if (this.#draining && target?.kind !== "own") {
      const message = "the server is shutting down: try again";
      sendError(exchange, { status: 429, message, retryAfter: 1 }, { Connection: "close" });
    } else if (target === undefined) {
      sendError(exchange, NOTHING_HERE);
    } else if (target.kind === "object") {
      void this.#objects.answer(exchange, target);
    } else if (target.kind === "upload") {
      void this.#uploads.answer(exchange, target);
    } else {
      this.#exchanges.set(request, exchange);
      request.url = target.url;
      app(request, response);
    }
  }

  #begin(request: IncomingMessage, response: ServerResponse): Exchange {
    const { logger } = this.#options;
    // The address is gone with the connection.
    const exchange = new Exchange({ id: this.#newId(), request, response, ip: this.#ipOf(request), logger });
    this.#connections.began(exchange);
    response.on("close", () => {
      this.#connections.ended(exchange);
      exchange.logAnswer();
      if (this.#draining) setImmediate(() => this.#server.closeIdleConnections());
    });
    return exchange;
  }

  /** What the calls that have bodies of JSON are answered by. */
  #makeApp(context: RouteContext): FastifyInstance {
    const { limits, logger, trustedProxies } = this.#options;
    const exchangeOf = (request: IncomingMessage): Exchange => {
      const exchange = this.#exchanges.get(request);
      if (exchange === undefined) throw new Error("a request has come to Fastify by another way than ours");
      return exchange;
    };
    const app = fastify({
      serverFactory: (handler) =>
        this.#server.on("request", (request, response) => this.#receive(request, response, handler)),
      loggerInstance: logger,
      logController: new LogController({ disableRequestLogging: true }),
      genReqId: (request) => exchangeOf(request).id,
      trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
      bodyLimit: limits.jsonBody,
      // URLs have a limit of their own.
      routerOptions: { maxParamLength: limits.headerBytes },
      return503OnClosing: false,
      forceCloseConnections: "idle",
      // The schemas are our own and do not change: to check them too takes longer at the start than to compile them.
      ajv: {
        customOptions: {
          coerceTypes: false,
          removeAdditional: false,
          useDefaults: false,
          verbose: true,
          validateSchema: false,
        },
      },
      schemaErrorFormatter: (errors, part) => new Error(validationMessage(errors, part)),
      clientErrorHandler: (error, socket) => {
        const exchange = this.#connections.exchangeOn(socket);
        answerClientError(error, socket, { exchange, newId: this.#newId, logger });
      },
    });
    app.decorateRequest("exchange", {
      getter() {
        return exchangeOf(this.raw);
      },
    });
    app.addHook("onRequest", (request, reply, done) => {
      // Here rather than in a handler, which would come after the body.
      if (!request.is404) return done();
      reply.hijack();
      return sendError(request.exchange, NOTHING_HERE);
    });
    app.setErrorHandler((error, { exchange, routeOptions }, reply) => {
      reply.hijack();
      refuse(exchange, error, { never422: routeOptions.config.never422 === true, extra: lockOf(error) });
    });
    limitBodyTime(app, limits.jsonBodyTimeout ?? JSON_BODY_TIMEOUT);
    acceptJson(app);
    void app.register(batchRoute, context);
    void app.register(verifyRoute, context);
    void app.register(lockRoutes, context);
    void app.register(healthRoutes, { ready: () => context.service.ready(), isDraining: () => this.#draining });
    return app;
  }
}

/** Who a request comes from, believing what trusted proxies say about that. */
function ipReader(trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  if (trustedProxies.length === 0) return ({ socket }) => socket.remoteAddress ?? "";
  const trust = proxyAddr.compile([...trustedProxies]);
  return (request) => proxyAddr(request, trust);
}

/**
 * Only a POST has a body of JSON. Whoever reads it hears that it failed, and the connection stays open for the answer.
 */
function limitBodyTime(app: FastifyInstance, milliseconds: number): void {
  app.addHook("preParsing", (request, reply, payload, done) => {
    if (request.method === "POST") {
      const timer = setTimeout(() => {
        // Nobody reads what was refused before it had come.
        if (request.raw.complete || request.raw.listenerCount("error") === 0) return;
        request.raw.emit("error", new LateBodyError(`the body took more than ${milliseconds / 1000} s to arrive`));
      }, milliseconds);
      reply.raw.once("close", () => clearTimeout(timer));
    }
    done(null, payload);
  });
}

/** Clients differ in the type that they call JSON, and some name none. */
function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (_request: FastifyRequest, body: Buffer) =>
    parseJson(body),
  );
}

/** Members called `__proto__` do no harm: what comes of this is read by names, and never merged into anything. */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw new BadRequestError("the request has no body, where one of JSON is needed");
  // Decoding would put other characters in the place of what is no UTF-8, and an oid must come back as it was sent.
  if (!isUtf8(body)) throw new BadRequestError("the body is not UTF-8");
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new BadRequestError("the body is not valid JSON", { cause });
  }
}

/** Short, unique over restarts and processes, and in the order of arrival within one. */
function requestIds(): () => string {
  const prefix = randomBytes(5).toString("hex");
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}

/** A refused lock comes with the one that is in the way. */
function lockOf(error: unknown): object {
  return error instanceof LfsError && error.lock !== undefined ? { lock: wire(error.lock) } : {};
}
