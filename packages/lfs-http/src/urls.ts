import { parseRepositoryName, type RepositoryName } from "@holdall/lfs-protocol";
import type { FastifyRequest } from "fastify";
import { BadRequestError } from "./errors.ts";

/** Below this stand the routes as Fastify knows them; no URL of a client gets there but through {@link parseTarget}. */
const INTERNAL = "/-/lfs";

/**
 * The paths of the LFS API behind a repository's: `/<path…>/<repo>` or, as clients derive it from a Git remote,
 * `/<path…>/<repo>.git/info/lfs`. Oids and the ids of locks have nothing that is encoded.
 */
const LFS_PATH =
  /^\/(.+?)(?:\/info\/lfs)?\/(?:objects\/([0-9a-f]{64})(?:\/(upload(?:\/(?:commit|verify|parts\/[1-9]\d{0,4}))?))?|(objects\/(?:batch|verify)|locks(?:\/verify|\/[^/%]+\/unlock)?))$/;

/** Paths that are not below a repository. */
const OWN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** The scheme and host of a request target in absolute form, which servers must take (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*(?=\/)/i;

/** What a request is about. */
export type Target =
  /** The bytes of an object; `repository` is a path, still percent-encoded, `query` what follows the question mark. */
  | { readonly kind: "object"; readonly repository: string; readonly oid: string; readonly query: string }
  /** An upload of it that takes several requests; `call` is the rest of the path, from `upload` on. */
  | {
      readonly kind: "upload";
      readonly repository: string;
      readonly oid: string;
      readonly call: string;
      readonly query: string;
    }
  /** Another call of the API, as a URL with a single parameter for the repository, which a router can take. */
  | { readonly kind: "api"; readonly url: string }
  /** The server itself. */
  | { readonly kind: "own"; readonly url: string };

/**
 * Reads the target of a request, with any number of segments before the part that the API names. It is text to text:
 * nothing is decoded here and nothing is decided. Undefined: no path of ours.
 * @param basePath of the public URL, as `/lfs`; empty when there is none. Dropped where a proxy has left it, as often as
 *   it is there: no request says whether the proxy has dropped it once already, so no name may begin with it.
 */
export function parseTarget(target: string, basePath: string): Target | undefined {
  const url = target.startsWith("/") ? target : target.replace(ORIGIN, "");
  const queryAt = url.indexOf("?");
  const path = queryAt < 0 ? url : url.slice(0, queryAt);
  const query = queryAt < 0 ? "" : url.slice(queryAt);
  const local = withoutBase(path, basePath);
  if (OWN_PATHS.has(local)) return { kind: "own", url: local + query };
  const [, repository, oid, upload, call] = LFS_PATH.exec(local) ?? [];
  if (repository === undefined) return undefined;
  if (oid !== undefined) {
    const about = { repository, oid, query: query.slice(1) };
    return upload === undefined ? { kind: "object", ...about } : { kind: "upload", ...about, call: upload };
  }
  if (call === undefined) return undefined;
  return { kind: "api", url: `${INTERNAL}/${encodeURIComponent(repository)}/${call}${query}` };
}

function withoutBase(path: string, basePath: string): string {
  return basePath !== "" && path.startsWith(`${basePath}/`) ? withoutBase(path.slice(basePath.length), basePath) : path;
}

/** The route pattern of an API call, as {@link parseTarget} makes its URL. */
export function route(call: string): string {
  return `${INTERNAL}/:repository/${call}`;
}

/**
 * The repository that the still percent-encoded path of a request names, or undefined when it names none. Each segment
 * is decoded exactly once; one that then holds a slash is refused, because proxies disagree on what it means.
 */
export function repositoryFromPath(path: string): RepositoryName | undefined {
  const known = recent.get(path);
  if (known !== undefined) return known;
  const segments: string[] = [];
  for (const raw of path.split("/")) {
    const segment = decodeOnce(raw);
    if (segment === undefined || segment.includes("/")) return undefined;
    segments.push(segment);
  }
  const name = parseRepositoryName(segments.join("/"));
  if (name !== undefined) {
    if (recent.size >= MAX_RECENT) recent.clear();
    recent.set(path, name);
  }
  return name;
}

/** The names of busy repositories are read again and again. */
const recent = new Map<string, RepositoryName>();
const MAX_RECENT = 256;

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
