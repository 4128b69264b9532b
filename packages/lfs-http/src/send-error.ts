import { LFS_MEDIA_TYPE, type ErrorResponse } from "@holdall/lfs-protocol";
import type { OutgoingHttpHeaders } from "node:http";
import { answerTo, type ErrorAnswer } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import { discardBody } from "./receive-body.ts";

/** What the API means by its statuses; which of our errors is which is in docs/errors.md. */
const DOCUMENTATION_URL = "https://github.com/git-lfs/git-lfs/blob/main/docs/api/README.md";

/**
 * Answers what failed, and tells the operator of what is ours to mend.
 * @param o.never422 clients take 422 to an upload or its verification for success and lose the object (git-lfs since
 *   2.5): such a route answers 400 instead, whatever the reason
 * @param o.extra members of the answer beside those that every error has
 */
export function refuse(exchange: Exchange, error: unknown, o: { never422: boolean; extra?: object }): void {
  const answer = answerTo(error);
  if (answer.ours) exchange.logError(error, answer.message);
  const status = answer.status === 422 && o.never422 ? 400 : answer.status;
  sendError(exchange, { ...answer, status }, {}, o.extra);
}

/** The form that every error has. */
export function errorBody(message: string, id: string, extra: object = {}): string {
  const body: ErrorResponse = { message, request_id: id, documentation_url: DOCUMENTATION_URL };
  return JSON.stringify({ ...extra, ...body });
}

/** Refuses a request in the API's form, whatever of its body is still on the way. */
export function sendError(
  exchange: Exchange,
  { status, message, retryAfter }: Pick<ErrorAnswer, "status" | "message" | "retryAfter">,
  headers: OutgoingHttpHeaders = {},
  extra: object = {},
): void {
  const { request, response } = exchange;
  const text = errorBody(message, exchange.id, extra);
  const head: OutgoingHttpHeaders = {
    ...headers,
    "Content-Type": LFS_MEDIA_TYPE,
    "Content-Length": Buffer.byteLength(text),
  };
  // Not WWW-Authenticate, at which a browser opens a dialogue.
  if (status === 401) head["LFS-Authenticate"] = 'Basic realm="Git LFS"';
  if (retryAfter !== undefined) head["Retry-After"] = retryAfter;
  if (request.complete || request.destroyed) {
    response.writeHead(status, head).end(text);
  } else if (response.shouldKeepAlive && head["Connection"] !== "close") {
    discardBody(request, () => {});
    response.writeHead(status, head).end(text);
  } else {
    // Where the connection is to be closed, the answer has no end before the body has: closing a connection that bytes
    // are coming in on resets it, and a reset overtakes the answer.
    response.writeHead(status, { ...head, Connection: "close" }).write(text);
    discardBody(request, () => response.end());
  }
}
