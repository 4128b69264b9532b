import type { Authenticator, Principal } from "@holdall/identity";
import type { Oid, RepositoryName } from "@holdall/lfs-protocol";
import { parseOid } from "@holdall/lfs-protocol";
import { LfsError, type LfsService, type ObjectName } from "@holdall/lfs-service";
import type { FastifyRequest } from "fastify";
import { repositoryFromPath } from "./urls.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who the request was served for, for the log; undefined until that is known. */
    servedFor: string | undefined;
  }
  interface FastifyContextConfig {
    /**
     * Clients take 422 to an upload or its verification for success and lose the object (git-lfs since 2.5): such a
     * route answers 400 instead, whatever the reason.
     */
    readonly never422?: boolean;
  }
}

/** What every route has at hand. */
export interface RouteContext {
  readonly service: LfsService;
  readonly authenticator: Authenticator;
  readonly publicUrl: string | undefined;
}

/** @throws IdentityError when there are credentials and they are not right */
export async function principalOf(context: RouteContext, request: FastifyRequest): Promise<Principal> {
  const principal = await context.authenticator.authenticate(request.headers.authorization);
  request.servedFor = principal.name;
  return principal;
}

/** @throws LfsError `not-found` when the path names no repository */
export function repositoryOf(params: { repository: string }): RepositoryName {
  const name = repositoryFromPath(params.repository);
  if (name === undefined) throw new LfsError("not-found", "the URL does not name a repository");
  return name;
}

/** @throws LfsError `not-found` when the path names no repository or no oid */
export function objectOf(params: { repository: string; oid: string }): ObjectName {
  const oid: Oid | undefined = parseOid(params.oid);
  if (oid === undefined) throw new LfsError("not-found", "the URL does not name an object");
  return { repository: repositoryOf(params), oid };
}
