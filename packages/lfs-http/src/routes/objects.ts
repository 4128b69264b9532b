import { ANONYMOUS } from "@holdall/identity";
import { LFS_MEDIA_TYPE, OBJECT_MEDIA_TYPE, parseOid, VerifyRequest } from "@holdall/lfs-protocol";
import { LfsError, type DownloadGrant } from "@holdall/lfs-service";
import type { FastifyPluginCallbackTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { objectOf, principalOf, repositoryOf, type RouteContext } from "../context.ts";
import { parseRange, type Span } from "../range-header.ts";
import { receiveBody } from "../receive-body.ts";
import { sendBody } from "../send-body.ts";
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
      // A range of another version is of no use: then the whole.
      const range = ifRange === undefined || ifRange === etag ? parseRange(rangeHeader, grant.size) : undefined;
      if (range === "unsatisfiable") {
        reply.code(416).header("Content-Range", `bytes */${grant.size}`).type(LFS_MEDIA_TYPE);
        return await reply.send(
          JSON.stringify({ message: `the object has ${grant.size} bytes`, request_id: request.id }),
        );
      }
      headers["Content-Length"] = length(grant, range);
      if (range !== undefined) headers["Content-Range"] = `bytes ${range.start}-${range.end}/${grant.size}`;

      const head = request.method === "HEAD";
      const body = head
        ? await transfers.inspect(grant)
        : await transfers.download(grant, range === undefined ? {} : { range });
      reply.hijack();
      const status = range === undefined ? 200 : 206;
      reply.raw.writeHead(status, headers);
      if (body === undefined) reply.raw.end();
      else await sendBody(reply.raw, body, length(grant, range));
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

function length(grant: DownloadGrant, range: Span | undefined): number {
  return range === undefined ? grant.size : range.end - range.start + 1;
}

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
