import type { Authenticator, Principal } from "@holdall/identity";
import type { RepositoryName } from "@holdall/lfs-protocol";
import { LfsError, type LfsService } from "@holdall/lfs-service";
import type { Exchange } from "./exchange.ts";
import { repositoryFromPath } from "./urls.ts";

declare module "fastify" {
  interface FastifyRequest {
    readonly exchange: Exchange;
  }
  interface FastifyContextConfig {
    /** See `refuse` in send-error.ts. */
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
export async function principalOf(context: RouteContext, exchange: Exchange): Promise<Principal> {
  const principal = await context.authenticator.authenticate(exchange.request.headers.authorization);
  exchange.servedFor = principal.name;
  return principal;
}

/** @throws LfsError `not-found` when the path, still percent-encoded, names no repository */
export function repositoryOf(params: { readonly repository: string }): RepositoryName {
  const name = repositoryFromPath(params.repository);
  if (name === undefined) throw new LfsError("not-found", NO_NAME);
  return name;
}

/** What the path of a URL has to be, for whoever wrote one that is not. */
export const NO_NAME =
  "the URL does not name a repository: names are segments joined by slashes, none of them empty, only dots, or over 200 bytes";

/** A part of the path by its name in the route's pattern: they are always text, so no schema has to say it. */
export function pathPart(params: unknown, name: string): string {
  const value: unknown = typeof params === "object" && params !== null ? Reflect.get(params, name) : undefined;
  if (typeof value !== "string") throw new Error(`the route has no part called ${name}`);
  return value;
}
