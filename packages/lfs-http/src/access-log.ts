import type { FastifyReply, FastifyRequest } from "fastify";

/**
 * One line for each request, when it is answered or its connection is gone. The query is left out: it is where action
 * tokens are.
 */
export function logAnswer(request: FastifyRequest, reply: FastifyReply, ip: string): void {
  const url = request.originalUrl;
  const query = url.indexOf("?");
  request.log.info(
    {
      method: request.method,
      path: query < 0 ? url : url.slice(0, query),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      by: request.servedFor,
      ip,
    },
    reply.raw.writableFinished ? "answered" : "the connection closed before the answer was complete",
  );
}
