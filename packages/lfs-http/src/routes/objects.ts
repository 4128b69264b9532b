import { ANONYMOUS } from "@holdall/identity";
import { LFS_MEDIA_TYPE, OBJECT_MEDIA_TYPE, parseOid, VerifyRequest } from "@holdall/lfs-protocol";
import { LfsError } from "@holdall/lfs-service";
import type { FastifyPluginCallbackTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { objectOf, principalOf, repositoryOf, type RouteContext } from "../context.ts";
import { parseRange } from "../range-header.ts";
import { receiveBody } from "../receive-body.ts";
import { sendBody } from "../send-body.ts";
import { sendError } from "../send-error.ts";
import { route } from "../urls.ts";

const Params = Type.Object({ repository: Type.String(), oid: Type.String() });
/** Without a token, the credentials of the request decide. */
const Query = Type.Object({ token: Type.Optional(Type.String()) });

const A_YEAR = 31_536_000;

/** `GET`, `HEAD` and `PUT objects/<oid>`, and `POST objects/verify` (git-lfs: docs/api/basic-transfers.md). */
export const objectRoutes: FastifyPluginCallbackTypebox<RouteContext> = (app, context, done) => {
  const { transfers } = context.service;
  const call = route("objects/:oid");

  app.route({
    method: ["GET", "HEAD"],
    url: call,
    schema: { params: Params, querystring: Query },
    handler: async (request, reply) => {
      const name = objectOf(request.params);
      const { token } = request.query;
      const grant =
        token === undefined
          ? await transfers.downloadBy(await principalOf(context, request), name)
          : transfers.downloadByToken(token, name);
      request.servedFor = grant.by;

      const etag = `"${grant.oid}"`;
      const { "if-none-match": known, "if-range": ifRange, range: rangeHeader } = request.headers;
      const isPublic = transfers.isPublic(grant.repository, ANONYMOUS);
      const headers: Record<string, string | number> = {
        "Content-Type": OBJECT_MEDIA_TYPE,
        ETag: etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": `${isPublic ? "public" : "private"}, max-age=${A_YEAR}, immutable`,
        "X-Content-Type-Options": "nosniff",
      };
      if (known !== undefined && matches(known, etag)) return await reply.code(304).headers(headers).send();
      const head = request.method === "HEAD";
      // Ranges are for GET (RFC 9110, section 14.2), and one of another version is of no use: then the whole.
      const ranged = !head && (ifRange === undefined || ifRange === etag);
      const range = ranged ? parseRange(rangeHeader, grant.size) : undefined;
      if (range === "unsatisfiable") {
        reply.header("Content-Range", `bytes */${grant.size}`);
        return await sendError(request, reply, 416, `the object has ${grant.size} bytes: ask for some of those`);
      }
      const length = range === undefined ? grant.size : range.end - range.start + 1;
      headers["Content-Length"] = length;
      if (range !== undefined) headers["Content-Range"] = `bytes ${range.start}-${range.end}/${grant.size}`;

      if (head) {
        await transfers.inspect(grant);
        reply.hijack();
        reply.raw.writeHead(200, headers).end();
        return reply;
      }
      const body = await transfers.download(grant, range === undefined ? {} : { range });
      await sendBody(reply, { status: range === undefined ? 200 : 206, headers, length }, body);
      return reply;
    },
  });

  // Bodies of objects are streams of any size: no parser reads them.
  void app.register((uploads, _o, registered) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser("*", { bodyLimit: Number.MAX_SAFE_INTEGER }, (_request, _payload, parsed) =>
      parsed(null),
    );
    uploads.route<{ Params: { repository: string; oid: string }; Querystring: { token?: string } }>({
      method: "PUT",
      url: call,
      schema: { params: Params, querystring: Query },
      config: { never422: true },
      handler: async (request, reply) => {
        const name = objectOf(request.params);
        const { token } = request.query;
        const grant =
          token === undefined
            ? await transfers.uploadBy(await principalOf(context, request), name)
            : transfers.uploadByToken(token, name);
        request.servedFor = grant.by;
        await transfers.upload(grant, receiveBody(request.raw), contentLength(request.headers));
        return await reply.code(200).send();
      },
    });
    registered();
  });

  app.route({
    method: "POST",
    url: route("objects/verify"),
    schema: { params: Type.Object({ repository: Type.String() }), body: VerifyRequest },
    config: { never422: true },
    handler: async (request, reply) => {
      const repository = repositoryOf(request.params);
      const principal = await principalOf(context, request);
      const oid = parseOid(request.body.oid);
      if (oid === undefined) throw new LfsError("invalid", "the oid is not 64 lower-case hexadecimal digits");
      await context.service.transfers.verify(principal, { repository, oid }, request.body.size);
      return await reply.type(LFS_MEDIA_TYPE).send("{}");
    },
  });
  done();
};

function matches(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch
    .split(",")
    .some((candidate) => candidate.trim().replace(/^W\//, "") === etag || candidate.trim() === "*");
}

/** Undefined for a chunked body. Node has refused what is not a number. */
function contentLength(headers: { "content-length"?: string | undefined }): number | undefined {
  const text = headers["content-length"];
  return text === undefined ? undefined : Number(text);
}
