import {
  BatchRequest,
  LFS_MEDIA_TYPE,
  OBJECT_MEDIA_TYPE,
  type Action,
  type BatchObject,
  type BatchResponse,
  type DownloadName,
  type PartAction,
} from "@holdall/lfs-protocol";
import type { BatchAction, BatchEntry, BatchOutcome } from "@holdall/lfs-service";
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
        transfer: outcome.transfer,
        objects: outcome.objects.map((entry) => toBatchObject(entry, base, outcome)),
        hash_algo: "sha256",
      };
      return await reply.type(LFS_MEDIA_TYPE).send(JSON.stringify(response));
    },
  });
  done();
};

type Outcome = Pick<BatchOutcome, "transfer" | "expiresIn">;

function toBatchObject(entry: BatchEntry, base: string, outcome: Outcome): BatchObject {
  const { oid, size, upload, download, verify, parts, error } = entry;
  if (error !== undefined) return { oid, size, error };
  if (upload === undefined && download === undefined && parts === undefined) return { oid, size };
  const expires_in = outcome.expiresIn;
  const toAction = (action: BatchAction, header: Readonly<Record<string, string>>): Action => {
    if ("request" in action) return { href: action.request.url, header: { ...action.request.headers }, expires_in };
    const place = upload !== undefined && outcome.transfer === "tus" ? `${oid}/upload` : oid;
    const href = `${base}${place}?token=${action.token}${nameQuery(action.name)}`;
    return Object.keys(header).length === 0 ? { href, expires_in } : { href, header: { ...header }, expires_in };
  };
  return {
    oid,
    size,
    // No client adds credentials then, which are nothing to a store elsewhere.
    authenticated: true,
    actions: {
      ...(upload === undefined ? {} : { upload: toAction(upload, outcome.transfer === "tus" ? {} : UPLOAD_HEADER) }),
      ...(download === undefined ? {} : { download: toAction(download, {}) }),
      ...(verify === undefined ? {} : { verify: { href: `${base}verify?token=${verify.token}`, expires_in } }),
      ...(parts === undefined ? {} : partActions(parts, `${base}${oid}/upload`, expires_in)),
    },
  };
}

/** `multipart-basic`, whose clients do what is there in this order, and take what is absent for done. */
function partActions(
  { parts, commit, token }: NonNullable<BatchEntry["parts"]>,
  upload: string,
  expires_in: number,
): NonNullable<BatchObject["actions"]> {
  const at = (call: string): string => `${upload}${call}?token=${token}`;
  const actions = parts.map(({ number, position: pos, size, request }): PartAction => ({
    href: request?.url ?? at(`/parts/${number}`),
    ...(request === undefined ? {} : { header: { ...request.headers } }),
    pos,
    size,
    expires_in,
    want_digest: "contentMD5",
  }));
  return {
    ...(actions.length === 0 ? {} : { parts: actions }),
    ...(commit ? { commit: { method: "POST", href: at("/commit"), expires_in } } : {}),
    verify: { href: at("/verify"), expires_in },
    abort: { method: "DELETE", href: at(""), expires_in },
  };
}

/** What a browser is to call the object; it decides nothing, so it is not signed. */
function nameQuery({ filename, disposition }: DownloadName = {}): string {
  const file = filename === undefined ? "" : `&filename=${encodeURIComponent(filename)}`;
  return disposition === undefined ? file : `${file}&disposition=${disposition}`;
}
