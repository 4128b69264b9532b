import { LFS_MEDIA_TYPE, parseOid, VerifyQuery, VerifyRequest } from "@holdall/lfs-protocol";
import { LfsError } from "@holdall/lfs-service";
import type { FastifyPluginCallbackTypebox } from "@fastify/type-provider-typebox";
import { pathPart, principalOf, repositoryOf, type RouteContext } from "../context.ts";
import { route } from "../urls.ts";

/** `POST objects/verify` (git-lfs: docs/api/basic-transfers.md, "Verification"). */
export const verifyRoute: FastifyPluginCallbackTypebox<RouteContext> = (app, context, done) => {
  app.route({
    method: "POST",
    url: route("objects/verify"),
    schema: { body: VerifyRequest, querystring: VerifyQuery },
    config: { never422: true },
    handler: async (request, reply) => {
      const repository = repositoryOf({ repository: pathPart(request.params, "repository") });
      const { size } = request.body;
      const oid = parseOid(request.body.oid);
      const { token } = request.query;
      if (token !== undefined && oid !== undefined) {
        const { exchange } = request;
        exchange.servedFor = await context.service.direct.finish(
          token,
          { repository, oid },
          { size, requestId: exchange.id },
        );
      } else {
        const principal = await principalOf(context, request.exchange);
        if (oid === undefined) throw new LfsError("invalid", "the oid is not 64 lower-case hexadecimal digits");
        await context.service.transfers.verify(principal, { repository, oid }, size);
      }
      return await reply.type(LFS_MEDIA_TYPE).send("{}");
    },
  });
  done();
};
