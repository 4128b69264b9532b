import { contentDisposition, OBJECT_MEDIA_TYPE, readDownloadName } from "@holdall/lfs-protocol";
import { principalOf, type RouteContext } from "../context.ts";
import { NOTHING_HERE } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { parseRange } from "../range-header.ts";
import { RequestBody } from "../receive-body.ts";
import { sendBody } from "../send-body.ts";
import { refuse, sendError } from "../send-error.ts";
import type { Target } from "../urls.ts";
import { contentLength, nameOf, tokenOf } from "./object-request.ts";

type ObjectTarget = Extract<Target, { kind: "object" }>;

const A_YEAR = 31_536_000;

/**
 * `GET`, `HEAD` and `PUT objects/<oid>` (git-lfs: docs/api/basic-transfers.md). Bodies of any size, no JSON to read or
 * check, and many more requests than all other routes have: so they are answered without a framework in between, which
 * costs more than a small object does.
 */
export class ObjectRoutes {
  readonly #context: RouteContext;

  constructor(context: RouteContext) {
    this.#context = context;
  }

  /** Answers, whatever happens. */
  async answer(exchange: Exchange, target: ObjectTarget): Promise<void> {
    const { method } = exchange.request;
    try {
      if (method === "GET" || method === "HEAD") await this.#download(exchange, target);
      else if (method === "PUT") await this.#upload(exchange, target);
      else sendError(exchange, NOTHING_HERE);
    } catch (error) {
      refuse(exchange, error, { never422: method === "PUT" });
    }
  }

  async #download(exchange: Exchange, target: ObjectTarget): Promise<void> {
    const { request, response } = exchange;
    const { transfers } = this.#context.service;
    const token = tokenOf(target);
    // Without one, the credentials of the request decide.
    const grant =
      token === undefined
        ? await transfers.downloadBy(await principalOf(this.#context, exchange), nameOf(target))
        : transfers.downloadByToken(token, nameOf(target));
    exchange.servedFor = grant.by;

    const etag = `"${grant.oid}"`;
    const { "if-none-match": known, "if-range": ifRange, range: rangeHeader } = request.headers;
    const isPublic = transfers.isPublic(grant.repository);
    const headers: Record<string, string | number> = {
      "Content-Type": OBJECT_MEDIA_TYPE,
      ETag: etag,
      "Accept-Ranges": "bytes",
      "Cache-Control": `${isPublic ? "public" : "private"}, max-age=${A_YEAR}, immutable`,
      "X-Content-Type-Options": "nosniff",
    };
    const disposition = dispositionOf(target);
    if (disposition !== undefined) headers["Content-Disposition"] = disposition;
    if (known !== undefined && matches(known, etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    const head = request.method === "HEAD";
    // Ranges are for GET (RFC 9110, section 14.2), and one of another version is of no use: then the whole.
    const ranged = !head && (ifRange === undefined || ifRange === etag);
    const range = ranged ? parseRange(rangeHeader, grant.size) : undefined;
    if (range === "unsatisfiable") {
      const message = `the object has ${grant.size} bytes: ask for some of those`;
      sendError(exchange, { status: 416, message }, { "Content-Range": `bytes */${grant.size}` });
      return;
    }
    const length = range === undefined ? grant.size : range.end - range.start + 1;
    headers["Content-Length"] = length;
    if (range !== undefined) headers["Content-Range"] = `bytes ${range.start}-${range.end}/${grant.size}`;

    if (head) {
      await transfers.inspect(grant, { requestId: exchange.id });
      response.writeHead(200, headers).end();
      return;
    }
    const requestId = exchange.id;
    const body = await transfers.download(grant, range === undefined ? { requestId } : { requestId, range });
    await sendBody(exchange, { status: range === undefined ? 200 : 206, headers, length }, body);
  }

  async #upload(exchange: Exchange, target: ObjectTarget): Promise<void> {
    const { request, response } = exchange;
    const { transfers } = this.#context.service;
    const token = tokenOf(target);
    const grant =
      token === undefined
        ? await transfers.uploadBy(await principalOf(this.#context, exchange), nameOf(target))
        : transfers.uploadByToken(token, nameOf(target));
    exchange.servedFor = grant.by;
    const length = contentLength(request.headers);
    await transfers.upload(grant, new RequestBody(request), { length, requestId: exchange.id });
    response.writeHead(200, { "Content-Length": 0 }).end();
  }
}

/** How the batch was asked to name the download; most requests ask for nothing. */
function dispositionOf({ query }: ObjectTarget): string | undefined {
  if (!query.includes("filename=") && !query.includes("disposition=")) return undefined;
  const parameters = new URLSearchParams(query);
  const name = readDownloadName(parameters.get("filename"), parameters.get("disposition"));
  return name && contentDisposition(name);
}

function matches(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch
    .split(",")
    .some((candidate) => candidate.trim().replace(/^W\//, "") === etag || candidate.trim() === "*");
}
