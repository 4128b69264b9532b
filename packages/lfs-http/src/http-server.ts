import { createServer, type Server } from "node:http";
import type { LfsServerLimits } from "./options.ts";

/** How often the platform looks for requests whose headers are late, in milliseconds. */
const HEADERS_CHECK_INTERVAL = 5000;

/** Node's HTTP server with our limits in the place of its own. */
export function createHttpServer(limits: LfsServerLimits): Server {
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeout,
    connectionsCheckingInterval: Math.min(limits.headersTimeout, HEADERS_CHECK_INTERVAL),
    keepAliveTimeout: limits.keepAliveTimeout,
    // Uploads take as long as they take; Node would cut them after five minutes.
    requestTimeout: 0,
  });
  server.setTimeout(limits.idleTimeout);
  if (limits.maxConnections !== undefined) server.maxConnections = limits.maxConnections;
  return server;
}
