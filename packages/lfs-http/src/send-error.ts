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
  const text = JSON.stringify({ ...extra, ...body });
  reply.code(status).type(LFS_MEDIA_TYPE);
  return request.raw.complete || request.raw.destroyed ? reply.send(text) : sendEarly(request, reply, text);
}

/**
 * Answers while the body of the request is still on its way. Where the connection is to be closed, the answer has no end
 * before the body has: closing a connection that bytes are coming in on resets it, and a reset overtakes the answer.
 */
function sendEarly(request: FastifyRequest, reply: FastifyReply, text: string): FastifyReply {
  const { raw: response } = reply;
  if (response.shouldKeepAlive && reply.getHeader("Connection") !== "close") {
    discardBody(request.raw, () => {});
    return reply.send(text);
  }
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(reply.statusCode, { "Content-Length": Buffer.byteLength(text), Connection: "close" });
  response.write(text);
  discardBody(request.raw, () => response.end());
  return reply;
}
