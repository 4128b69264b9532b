import { LFS_MEDIA_TYPE, type ErrorResponse } from "@holdall/lfs-protocol";
import { LfsError } from "@holdall/lfs-service";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { logAnswer } from "./access-log.ts";
import type { RouteContext } from "./context.ts";
import { answerTo } from "./errors.ts";
import type { LfsServerOptions } from "./options.ts";
import { discardBody } from "./receive-body.ts";
import { batchRoute } from "./routes/batch.ts";
import { healthRoutes } from "./routes/health.ts";
import { lockRoutes, wire } from "./routes/locks.ts";
import { objectRoutes } from "./routes/objects.ts";
import { rewriteLfsUrl } from "./urls.ts";

/** What the API means by its statuses; which of our errors is which is in docs/errors.md. */
const DOCUMENTATION_URL = "https://github.com/git-lfs/git-lfs/blob/main/docs/api/README.md";

/** A body of JSON is small; whoever takes this long to send one (milliseconds) keeps a place that others need. */
const JSON_BODY_TIMEOUT = 60_000;

/** An HTTP server that offers Git LFS. */
export class LfsServer {
  readonly #app: FastifyInstance;
  #draining = false;

  constructor(o: LfsServerOptions) {
    const basePath = o.publicUrl === undefined ? "" : new URL(o.publicUrl).pathname.replace(/\/$/, "");
    const publicUrl = o.publicUrl?.replace(/\/$/, "");
    const app = fastify({
      loggerInstance: o.logger,
      disableRequestLogging: true,
      genReqId: requestIds(),
      rewriteUrl: (request) => rewriteLfsUrl(request.url ?? "/", basePath),
      trustProxy: o.trustedProxies.length === 0 ? false : [...o.trustedProxies],
      bodyLimit: o.limits.jsonBody,
      connectionTimeout: o.limits.idleTimeout,
      keepAliveTimeout: o.limits.keepAliveTimeout,
      // Uploads take as long as they take.
      requestTimeout: 0,
      http: {
        maxHeaderSize: o.limits.headerBytes,
        headersTimeout: o.limits.headersTimeout,
        connectionsCheckingInterval: 5000,
      },
      routerOptions: { maxParamLength: o.limits.urlBytes },
      return503OnClosing: false,
      forceCloseConnections: "idle",
      ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
      frameworkErrors: (error, request, reply) => {
        void this.#refuse(error, request, reply);
      },
    });
    if (o.limits.maxConnections !== undefined) app.server.maxConnections = o.limits.maxConnections;
    this.#app = app;

    app.decorateRequest("servedFor", undefined);
    app.setErrorHandler((error, request, reply) => this.#refuse(error, request, reply));
    app.setNotFoundHandler((request, reply) => {
      discardBody(request.raw);
      return sendError(request, reply, 404, "there is nothing at this URL: is it that of a repository?");
    });
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
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    clearTimeout(timer);
    await this.#app.close();
    return finished;
  }

  #addHooks(limits: LfsServerOptions["limits"]): void {
    this.#app.addHook("onRequest", async (request, reply) => {
      if ((request.raw.url?.length ?? 0) > limits.urlBytes) {
        discardBody(request.raw);
        return await sendError(request, reply, 414, `the URL is longer than ${limits.urlBytes} bytes`);
      }
      if (this.#draining && !request.url.startsWith("/readyz")) {
        discardBody(request.raw);
        reply.headers({ "Retry-After": 1, Connection: "close" });
        return await sendError(request, reply, 429, "the server is shutting down: try again");
      }
      return undefined;
    });

    this.#app.addHook("preParsing", (request, _reply, payload, done) => {
      if (request.method !== "PUT" && request.raw.headers["content-length"] !== "0") {
        const timer = setTimeout(() => request.raw.socket.destroy(), JSON_BODY_TIMEOUT);
        payload.once("close", () => clearTimeout(timer));
        payload.once("end", () => clearTimeout(timer));
      }
      done(null, payload);
    });

    this.#app.addHook("onResponse", (request, reply, done) => {
      logAnswer(request, reply);
      if (this.#draining) setImmediate(() => this.#app.server.closeIdleConnections());
      done();
    });
  }

  #refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, message, retryAfter, ours } = answerTo(error);
    if (ours) request.log.error({ err: error }, message);
    discardBody(request.raw);
    if (retryAfter !== undefined) reply.header("Retry-After", retryAfter);
    const hidden = status === 422 && request.routeOptions.config.never422 === true;
    return sendError(request, reply, hidden ? 400 : status, message, lockOf(error));
  }
}

function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  message: string,
  extra: object = {},
): FastifyReply {
  const body: ErrorResponse = { message, request_id: request.id, documentation_url: DOCUMENTATION_URL };
  // Not WWW-Authenticate, at which a browser opens a dialogue.
  if (status === 401) reply.header("LFS-Authenticate", 'Basic realm="Git LFS"');
  return reply
    .code(status)
    .type(LFS_MEDIA_TYPE)
    .send(JSON.stringify({ ...extra, ...body }));
}

/** Clients differ in the type that they call JSON, and some name none. */
function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, app.getDefaultJsonParser("remove", "remove"));
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
