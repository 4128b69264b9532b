import {
  BatchRequest,
  LFS_MEDIA_TYPE,
  OBJECT_MEDIA_TYPE,
  type BatchObject,
  type BatchResponse,
} from "@holdall/lfs-protocol";
import type { BatchEntry } from "@holdall/lfs-service";
import type { FastifyPluginCallbackTypebox } from "@fastify/type-provider-typebox";
import { pathPart, principalOf, repositoryOf, type RouteContext } from "../context.ts";
import { repositoryUrl, route } from "../urls.ts";

/** Pinned, because clients otherwise guess a type from the bytes. */
const UPLOAD_HEADER = { "Content-Type": OBJECT_MEDIA_TYPE };

/** `POST objects/batch` (git-lfs: docs/api/batch.md). */
export const batchRoute: FastifyPluginCallbackTypebox<RouteContext> = (app, context, done) => {
  app.route({
    method: "POST",
    url: route("objects/batch"),
    schema: { body: BatchRequest },
    handler: async (request, reply) => {
      const repository = repositoryOf({ repository: pathPart(request.params, "repository") });
      const principal = await principalOf(context, request.exchange);
      const outcome = await context.service.batches.batch(principal, repository, request.body);
      const base = `${repositoryUrl(context.publicUrl, request, repository)}/objects/`;
      const response: BatchResponse = {
        transfer: "basic",
        objects: outcome.objects.map((entry) => toBatchObject(entry, base, outcome.expiresIn)),
        hash_algo: "sha256",
      };
      return await reply.type(LFS_MEDIA_TYPE).send(JSON.stringify(response));
    },
  });
  done();
};

function toBatchObject({ oid, size, action, error }: BatchEntry, base: string, expiresIn: number): BatchObject {
  if (error !== undefined) return { oid, size, error };
  if (action === undefined) return { oid, size };
  const href = `${base}${oid}?token=${action.token}`;
  const actions =
    action.kind === "upload"
      ? { upload: { href, header: UPLOAD_HEADER, expires_in: expiresIn } }
      : { download: { href, expires_in: expiresIn } };
  return { oid, size, authenticated: true, actions };
}
