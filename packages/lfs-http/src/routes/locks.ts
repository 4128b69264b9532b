import {
  CreateLockRequest,
  LFS_MEDIA_TYPE,
  ListLocksQuery,
  UnlockRequest,
  VerifyLocksRequest,
  type ListLocksResponse,
  type Lock as WireLock,
  type LockResponse,
  type VerifyLocksResponse,
} from "@holdall/lfs-protocol";
import { LfsError, type LockFilter } from "@holdall/lfs-service";
import type { FastifyPluginCallbackTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply } from "fastify";
import { NO_NAME, pathPart, principalOf, repositoryOf, type RouteContext } from "../context.ts";
import { repositoryFromPath, route } from "../urls.ts";

/** The locking API (git-lfs: docs/api/locking.md). The ref in requests is for authorisation by branch, which we have not. */
export const lockRoutes: FastifyPluginCallbackTypebox<RouteContext> = (app, context, done) => {
  const { locks } = context.service;

  app.route({
    method: "POST",
    url: route("locks"),
    schema: { body: CreateLockRequest },
    handler: async (request, reply) => {
      const repository = repositoryOf({ repository: pathPart(request.params, "repository") });
      const principal = await principalOf(context, request.exchange);
      const lock = await locks.create(principal, repository, request.body.path, { requestId: request.exchange.id });
      return await send(reply.code(201), { lock: wire(lock) } satisfies LockResponse);
    },
  });

  app.route({
    method: "GET",
    url: route("locks"),
    schema: { querystring: ListLocksQuery },
    handler: async (request, reply) => {
      const repository = repositoryOf({ repository: pathPart(request.params, "repository") });
      const principal = await principalOf(context, request.exchange);
      const page = await locks.list(principal, repository, filterOf(request.query));
      const response: ListLocksResponse = { locks: page.locks.map(wire), ...nextCursor(page) };
      return await send(reply, response);
    },
  });

  app.route({
    method: "POST",
    url: route("locks/verify"),
    schema: { body: VerifyLocksRequest },
    handler: async (request, reply) => {
      const repository = repositoryFromPath(pathPart(request.params, "repository"));
      // A 404 would turn the client's lock checks off for good.
      if (repository === undefined) throw new LfsError("forbidden", NO_NAME);
      const principal = await principalOf(context, request.exchange);
      const { cursor, limit } = request.body;
      const filter = { ...(cursor ? { cursor } : {}), ...(limit ? { limit } : {}) };
      const sorted = await locks.verify(principal, repository, filter);
      const response: VerifyLocksResponse = {
        ours: sorted.ours.map(wire),
        theirs: sorted.theirs.map(wire),
        ...nextCursor(sorted),
      };
      return await send(reply, response);
    },
  });

  app.route({
    method: "POST",
    url: route("locks/:id/unlock"),
    schema: { body: UnlockRequest },
    handler: async (request, reply) => {
      const repository = repositoryOf({ repository: pathPart(request.params, "repository") });
      const principal = await principalOf(context, request.exchange);
      const o = { force: request.body.force === true, requestId: request.exchange.id };
      const lock = await locks.unlock(principal, repository, pathPart(request.params, "id"), o);
      return await send(reply, { lock: wire(lock) } satisfies LockResponse);
    },
  });
  done();
};

/** A lock as messages carry it. */
export function wire(lock: {
  readonly id: string;
  readonly path: string;
  readonly owner: string;
  readonly lockedAt: Date;
}): WireLock {
  return { id: lock.id, path: lock.path, locked_at: lock.lockedAt.toISOString(), owner: { name: lock.owner } };
}

function send(reply: FastifyReply, body: object): FastifyReply {
  return reply.type(LFS_MEDIA_TYPE).send(JSON.stringify(body));
}

function nextCursor({ nextCursor: next }: { readonly nextCursor?: string }): { next_cursor?: string } {
  return next === undefined ? {} : { next_cursor: next };
}

function filterOf({ path, id, cursor, limit }: ListLocksQuery): LockFilter {
  if (limit && !/^\d+$/.test(limit)) throw new LfsError("invalid", "limit is not a whole number");
  return {
    ...(path ? { path } : {}),
    ...(id ? { id } : {}),
    ...(cursor ? { cursor } : {}),
    ...(limit ? { limit: Number(limit) } : {}),
  };
}
