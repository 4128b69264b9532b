import { parseRepositoryName, type RepositoryName } from "@holdall/lfs-protocol";
import type { FastifyRequest } from "fastify";
import { BadRequestError } from "./errors.ts";

/** Below this stand the routes as Fastify knows them; no URL of a client gets there but through {@link rewriteLfsUrl}. */
const INTERNAL = "/-/lfs";

/**
 * The paths of the LFS API behind a repository's: `/<path…>/<repo>` or, as clients derive it from a Git remote,
 * `/<path…>/<repo>.git/info/lfs`. Oids and the ids of locks have nothing that is encoded.
 */
const LFS_PATH =
  /^\/(?<repository>.+?)(?:\/info\/lfs)?\/(?<call>objects\/(?:batch|verify|[0-9a-f]{64})|locks(?:\/verify|\/[^/%]+\/unlock)?)$/;

/** Paths that are not below a repository. */
const OWN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** The scheme and host of a request target in absolute form, which servers must take (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*(?=\/)/i;

/**
 * Turns the path of a request, with any number of segments before the part that the API names, into one with a single
 * parameter for the repository, which a router can take. It is text to text: nothing is decoded here and nothing is
 * decided, and what is no path of the API becomes a path that no route has.
 * @param basePath of the public URL, as `/lfs`; dropped where a proxy has left it. Empty when there is none.
 */
export function rewriteLfsUrl(target: string, basePath: string): string {
  const url = target.replace(ORIGIN, "");
  const queryAt = url.indexOf("?");
  const path = queryAt < 0 ? url : url.slice(0, queryAt);
  const query = queryAt < 0 ? "" : url.slice(queryAt);
  const local = basePath !== "" && path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
  if (OWN_PATHS.has(local)) return local + query;
  const groups = LFS_PATH.exec(local)?.groups;
  if (groups?.["repository"] === undefined || groups["call"] === undefined) return "/-/nothing-here";
  return `${INTERNAL}/${encodeURIComponent(groups["repository"])}/${groups["call"]}${query}`;
}

/** Whether a path, as {@link rewriteLfsUrl} makes them, is about the server itself. */
export function isOwnPath(url: string): boolean {
  return OWN_PATHS.has(url.replace(/\?.*/, ""));
}

/** The route pattern of an API call, as {@link rewriteLfsUrl} makes its paths. */
export function route(call: string): string {
  return `${INTERNAL}/:repository/${call}`;
}

/**
 * The repository that the still percent-encoded path of a request names, or undefined when it names none. Each segment
 * is decoded exactly once; one that then holds a slash is refused, because proxies disagree on what it means.
 */
export function repositoryFromPath(path: string): RepositoryName | undefined {
  const segments: string[] = [];
  for (const raw of path.split("/")) {
    const segment = decodeOnce(raw);
    if (segment === undefined || segment.includes("/")) return undefined;
    segments.push(segment);
  }
  return parseRepositoryName(segments.join("/"));
}

function decodeOnce(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/**
 * Where clients reach the repository: below the public URL if one is configured, otherwise below the host that the
 * request names (through a trusted proxy, that the proxy says it was asked for). In the form with `.git/info/lfs`, which
 * leads back to the same repository whatever its name is, and which proxies that tell LFS from Git by the path know.
 * @throws BadRequestError when the request names no host
 */
export function repositoryUrl(
  publicUrl: string | undefined,
  request: FastifyRequest,
  repository: RepositoryName,
): string {
  const base = publicUrl ?? originOf(request);
  return `${base}/${repository.split("/").map(encodeURIComponent).join("/")}.git/info/lfs`;
}

/** `http` or `https`, a name or an address, and a port. */
const SAFE_ORIGIN = /^https?:\/\/(?:[\w.~-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

function originOf(request: FastifyRequest): string {
  const origin = `${request.protocol}://${request.host}`;
  if (SAFE_ORIGIN.test(origin)) return origin;
  throw new BadRequestError(
    "the Host header (or X-Forwarded-Host or -Proto) does not say by which address the server is reached: " +
      "use a URL with a plain host name, or let the server's operator set publicUrl",
  );
}
