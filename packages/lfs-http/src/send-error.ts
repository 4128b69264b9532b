import { LFS_MEDIA_TYPE, type ErrorResponse } from "@holdall/lfs-protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { discardBody } from "./receive-body.ts";

/** What the API means by its statuses; which of our errors is which is in docs/errors.md. */
export const DOCUMENTATION_URL = "https://github.com/git-lfs/git-lfs/blob/main/docs/api/README.md";

/**
 * Refuses a request in the API's form, whatever of its body is still on the way.
 * @param extra members of the answer beside those that every error has
 */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  message: string,
  extra: object = {},
): FastifyReply {
  const body: ErrorResponse = { message, request_id: request.id, documentation_url: DOCUMENTATION_URL };
  // Not WWW-Authenticate, at which a browser opens a dialogue.
  if (status === 401) reply.header("LFS-Authenticate", 'Basic realm="Git LFS"');
  if (!request.raw.complete && !request.raw.destroyed) {
    const close = reply.getHeader("Connection") === "close" || !reply.raw.shouldKeepAlive;
    // Otherwise the platform would close it with the answer.
    reply.removeHeader("Connection");
    reply.raw.shouldKeepAlive = true;
    discardBody(request.raw, { close });
  }
  return reply
    .code(status)
    .type(LFS_MEDIA_TYPE)
    .send(JSON.stringify({ ...extra, ...body }));
}
