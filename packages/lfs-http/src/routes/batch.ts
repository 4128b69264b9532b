import {
  BatchRequest,
  LFS_MEDIA_TYPE,
  OBJECT_MEDIA_TYPE,
  type Action,
  type BatchObject,
  type BatchResponse,
  type DownloadName,
} from "@holdall/lfs-protocol";
import type { BatchAction, BatchEntry } from "@holdall/lfs-service";
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

function toBatchObject(entry: BatchEntry, base: string, expires_in: number): BatchObject {
  const { oid, size, upload, download, verify, error } = entry;
  if (error !== undefined) return { oid, size, error };
  if (upload === undefined && download === undefined) return { oid, size };
  const toAction = (action: BatchAction, header: Readonly<Record<string, string>>): Action => {
    if ("request" in action) return { href: action.request.url, header: { ...action.request.headers }, expires_in };
    const href = `${base}${oid}?token=${action.token}${nameQuery(action.name)}`;
    return Object.keys(header).length === 0 ? { href, expires_in } : { href, header: { ...header }, expires_in };
  };
  return {
    oid,
    size,
    // No client adds credentials then, which are nothing to a store elsewhere.
    authenticated: true,
    actions: {
      ...(upload === undefined ? {} : { upload: toAction(upload, UPLOAD_HEADER) }),
      ...(download === undefined ? {} : { download: toAction(download, {}) }),
      ...(verify === undefined ? {} : { verify: { href: `${base}verify?token=${verify.token}`, expires_in } }),
    },
  };
}

/** What a browser is to call the object; it decides nothing, so it is not signed. */
function nameQuery({ filename, disposition }: DownloadName = {}): string {
  const file = filename === undefined ? "" : `&filename=${encodeURIComponent(filename)}`;
  return disposition === undefined ? file : `${file}&disposition=${disposition}`;
}
