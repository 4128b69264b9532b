import { LfsError } from "@holdall/lfs-service";
import fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { logAnswer } from "./access-log.ts";
import { answerClientError } from "./client-error.ts";
import { Connections } from "./connections.ts";
import type { RouteContext } from "./context.ts";
import { answerTo, BadRequestError } from "./errors.ts";
import type { LfsServerOptions } from "./options.ts";
import { batchRoute } from "./routes/batch.ts";
import { healthRoutes } from "./routes/health.ts";
import { lockRoutes, wire } from "./routes/locks.ts";
import { objectRoutes } from "./routes/objects.ts";
import { sendError } from "./send-error.ts";
import { isOwnPath, rewriteLfsUrl } from "./urls.ts";

/** A body of JSON is small; whoever takes this long to send one (milliseconds) keeps a place that others need. */
const JSON_BODY_TIMEOUT = 60_000;
/** How often the platform looks for requests whose headers are late, in milliseconds. */
const HEADERS_CHECK_INTERVAL = 5000;

/** An HTTP server that offers Git LFS. */
export class LfsServer {
  readonly #app: FastifyInstance;
  readonly #connections: Connections;
  readonly #headersTimeout: number;
  #draining = false;

  constructor(o: LfsServerOptions) {
    const basePath = o.publicUrl === undefined ? "" : new URL(o.publicUrl).pathname.replace(/\/$/, "");
    const publicUrl = o.publicUrl?.replace(/\/$/, "");
    const app = fastify({
      loggerInstance: o.logger,
      logController: new LogController({ disableRequestLogging: true }),
      genReqId: requestIds(),
      rewriteUrl: (request) => rewriteLfsUrl(request.url ?? "/", basePath),
      trustProxy: o.trustedProxies.length === 0 ? false : [...o.trustedProxies],
      bodyLimit: o.limits.jsonBody,
      connectionTimeout: o.limits.idleTimeout,
      keepAliveTimeout: o.limits.keepAliveTimeout,
      // Uploads take as long as they take.
      requestTimeout: 0,
      http: {
        // Said here too, because the time for headers may not be more than this, whose default is five minutes.
        requestTimeout: 0,
        maxHeaderSize: o.limits.headerBytes,
        headersTimeout: o.limits.headersTimeout,
        connectionsCheckingInterval: Math.min(o.limits.headersTimeout, HEADERS_CHECK_INTERVAL),
      },
      // URLs have a limit of their own, below.
      routerOptions: { maxParamLength: o.limits.headerBytes },
      return503OnClosing: false,
      forceCloseConnections: "idle",
      ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
      clientErrorHandler: answerClientError,
    });
    if (o.limits.maxConnections !== undefined) app.server.maxConnections = o.limits.maxConnections;
    this.#app = app;
    this.#connections = new Connections(app.server);
    this.#headersTimeout = o.limits.headersTimeout;

    app.decorateRequest("servedFor", undefined);
    app.setErrorHandler((error, request, reply) => this.#refuse(error, request, reply));
    this.#addHooks(o.limits);
    acceptJson(app);

    const context: RouteContext = { service: o.service, authenticator: o.authenticator, publicUrl };
    void app.register(batchRoute, context);
    void app.register(objectRoutes, context);
    void app.register(lockRoutes, context);
    void app.register(healthRoutes, { ready: () => o.service.ready(), isDraining: () => this.#draining });
  }

  /** Begins to serve; resolves with the address when it does. */
  async listen(o: { host: string; port: number }): Promise<AddressInfo> {
    await this.#app.listen(o);
    const address = this.#app.server.address();
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
    const { server } = this.#app;
    let finished = true;
    const timer = setTimeout(() => {
      finished = false;
      server.closeAllConnections();
    }, timeout);
    // A server that closes looks no more for requests that take too long to arrive.
    const headersTimer = setTimeout(() => this.#connections.closeWithoutRequest(), this.#headersTimeout);
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

  #addHooks(limits: LfsServerOptions["limits"]): void {
    this.#app.addHook("onRequest", async (request, reply) => {
      // The address is gone with the connection.
      const { ip } = request;
      this.#connections.began(request.raw);
      reply.raw.once("close", () => {
        this.#connections.ended(request.raw);
        logAnswer(request, reply, ip);
        if (this.#draining) setImmediate(() => this.#app.server.closeIdleConnections());
      });
      if (request.originalUrl.length > limits.urlBytes) {
        return await sendError(request, reply, 414, `the URL is longer than ${limits.urlBytes} bytes`);
      }
      if (this.#draining && !isOwnPath(request.url)) {
        reply.headers({ "Retry-After": 1, Connection: "close" });
        return await sendError(request, reply, 429, "the server is shutting down: try again");
      }
      // Here rather than in a handler, which would come after the body.
      if (request.is404) {
        return await sendError(request, reply, 404, "there is nothing at this URL: is it that of a repository?");
      }
      return undefined;
    });

    // Only a POST has a body of JSON, and only a PUT may take its time.
    this.#app.addHook("preParsing", (request, reply, payload, done) => {
      if (request.method === "POST") {
        const timer = setTimeout(() => {
          if (!request.raw.complete) request.raw.socket.destroy();
        }, limits.jsonBodyTimeout ?? JSON_BODY_TIMEOUT);
        reply.raw.once("close", () => clearTimeout(timer));
      }
      done(null, payload);
    });
  }

  #refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, message, retryAfter, ours } = answerTo(error);
    if (ours) request.log.error({ err: error }, message);
    if (retryAfter !== undefined) reply.header("Retry-After", retryAfter);
    const hidden = status === 422 && request.routeOptions.config.never422 === true;
    return sendError(request, reply, hidden ? 400 : status, message, lockOf(error));
  }
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
