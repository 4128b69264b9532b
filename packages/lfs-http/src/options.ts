import type { Authenticator } from "@holdall/identity";
import type { LfsService } from "@holdall/lfs-service";
import type { FastifyBaseLogger } from "fastify";

export interface LfsServerOptions {
  readonly service: LfsService;
  readonly authenticator: Authenticator;
  readonly logger: FastifyBaseLogger;
  readonly limits: LfsServerLimits;
  /** Absolute, without a slash at the end; undefined: as each request names the host. */
  readonly publicUrl?: string;
  /** Addresses and networks (CIDR) whose `X-Forwarded-*` headers are believed. */
  readonly trustedProxies: readonly string[];
}

/** Bytes and milliseconds. There is no limit on the time that a transfer takes as long as it moves. */
export interface LfsServerLimits {
  readonly jsonBody: number;
  /** All headers together, the request line among them. */
  readonly headerBytes: number;
  readonly urlBytes: number;
  /** A connection on which no byte moves in either direction while a request is under way is cut. */
  readonly idleTimeout: number;
  readonly headersTimeout: number;
  /** For a body of JSON as a whole, however it trickles; a minute unless given. */
  readonly jsonBodyTimeout?: number;
  /** Clients keep idle connections for long; the longer the server does too, the rarer it closes one under a request. */
  readonly keepAliveTimeout: number;
  readonly maxConnections?: number;
}
