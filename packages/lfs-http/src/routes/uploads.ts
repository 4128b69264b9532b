import type { Doing, InParts } from "@holdall/lfs-service";
import type { RouteContext } from "../context.ts";
import { BadRequestError, NOTHING_HERE } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { RequestBody } from "../receive-body.ts";
import { refuse, sendError } from "../send-error.ts";
import type { Target } from "../urls.ts";
import { contentLength, nameOf, tokenOf } from "./object-request.ts";

type UploadTarget = Extract<Target, { kind: "upload" }>;

const TUS = { "Tus-Resumable": "1.0.0" } as const;
const TUS_BODY = "application/offset+octet-stream";
const OFFSET = /^\d{1,16}$/;

/**
 * Uploads that take several requests, each allowed by the action token of the batch alone.
 *
 * `multipart-basic` (Giftless: docs/source/multipart-spec.md): `PUT upload/parts/<number>`, `POST upload/commit`,
 * `POST upload/verify`, `DELETE upload`. tus (https://tus.io/protocols/resumable-upload, 1.0.0, as git-lfs speaks it: the
 * batch stands for the creation): `HEAD`, `PATCH`, `OPTIONS` and `DELETE upload`.
 */
export class UploadRoutes {
  readonly #context: RouteContext;

  constructor(context: RouteContext) {
    this.#context = context;
  }

  /** Answers, whatever happens. */
  async answer(exchange: Exchange, target: UploadTarget): Promise<void> {
    try {
      await this.#answer(exchange, target);
    } catch (error) {
      refuse(exchange, error, { never422: true });
    }
  }

  async #answer(exchange: Exchange, target: UploadTarget): Promise<void> {
    const { request, response } = exchange;
    const { parts } = this.#context.service;
    const call = `${request.method} ${target.call.replace(/\d+$/, "N")}`;
    if (call === "OPTIONS upload") {
      response.writeHead(204, { ...TUS, "Tus-Version": "1.0.0", "Tus-Extension": "termination" }).end();
      return;
    }
    if (!CALLS.has(call)) {
      sendError(exchange, NOTHING_HERE);
      return;
    }
    const { object, by } = parts.granted(tokenOf(target) ?? "", nameOf(target));
    exchange.servedFor = by;
    const doing: Doing = { by, requestId: exchange.id };
    switch (call) {
      case "HEAD upload":
        return await this.#offset(exchange, object, doing);
      case "PATCH upload":
        return await this.#append(exchange, object, doing);
      case "DELETE upload":
        await parts.abort(object);
        response.writeHead(204, TUS).end();
        return;
      case "POST upload/commit":
        await parts.commit(object);
        break;
      case "POST upload/verify":
        await parts.finish(object, doing);
        break;
      case "PUT upload/parts/N":
        await this.#putPart(exchange, object, Number(target.call.split("/").at(-1)));
        break;
    }
    // Exactly this: Giftless' client in JavaScript takes no other success of `verify`.
    response.writeHead(200, { "Content-Length": 0 }).end();
  }

  async #putPart({ request }: Exchange, object: InParts, number: number): Promise<void> {
    const length = contentLength(request.headers);
    const md5 = request.headers["content-md5"];
    await this.#context.service.parts.putPart(object, number, new RequestBody(request), {
      length,
      md5: typeof md5 === "string" ? md5 : undefined,
    });
  }

  async #offset(exchange: Exchange, object: InParts, doing: Doing): Promise<void> {
    requireTus(exchange);
    const offset = await this.#context.service.resumable.offset(object, doing);
    exchange.response
      .writeHead(200, { ...TUS, "Upload-Offset": offset, "Upload-Length": object.size, "Cache-Control": "no-store" })
      .end();
  }

  async #append(exchange: Exchange, object: InParts, doing: Doing): Promise<void> {
    requireTus(exchange);
    const { request, response } = exchange;
    const { "upload-offset": offset, "content-type": type } = request.headers;
    const length = contentLength(request.headers);
    if (type !== TUS_BODY) throw new BadRequestError(`the Content-Type of a PATCH has to be ${TUS_BODY}`);
    if (typeof offset !== "string" || !OFFSET.test(offset)) {
      throw new BadRequestError("the header Upload-Offset has to say where the bytes begin");
    }
    if (length === undefined) throw new BadRequestError("send a Content-Length with the PATCH");
    const from = Number(offset);
    const body = new RequestBody(request);
    const next = await this.#context.service.resumable.append(object, body, { ...doing, offset: from, length });
    response.writeHead(204, { ...TUS, "Upload-Offset": next }).end();
  }
}

const CALLS: ReadonlySet<string> = new Set([
  "HEAD upload",
  "PATCH upload",
  "DELETE upload",
  "POST upload/commit",
  "POST upload/verify",
  "PUT upload/parts/N",
]);

/** Only one version has ever been published. @throws BadRequestError for another */
function requireTus({ request }: Exchange): void {
  const version = request.headers["tus-resumable"];
  if (version === TUS["Tus-Resumable"]) return;
  throw new BadRequestError(
    "the header Tus-Resumable has to be 1.0.0, the version of the protocol that is spoken here",
  );
}
