import type { ConnectionError, FastifyBaseLogger } from "fastify";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { LFS_MEDIA_TYPE } from "@holdall/lfs-protocol";
import type { Exchange } from "./exchange.ts";
import { errorBody } from "./send-error.ts";

/**
 * Answers what is no request that the platform can read, in the form of all other errors, and closes the connection.
 * @param o.exchange what is under way on the connection, if anything is: it is that one's body, or what comes after it
 */
export function answerClientError(
  error: ConnectionError,
  socket: Socket,
  o: { readonly exchange: Exchange | undefined; readonly newId: () => string; readonly logger: FastifyBaseLogger },
): void {
  const { exchange } = o;
  // Nobody listens, nobody has asked anything yet, or it would get into the answer that is being sent.
  if (!socket.writable || socket.bytesRead === 0 || exchange?.response.headersSent === true) {
    socket.destroy();
    return;
  }
  const [status, message] = meaningOf(error.code);
  const id = exchange?.id ?? o.newId();
  if (exchange !== undefined) {
    // For its line in the log.
    exchange.response.statusCode = status;
  } else {
    const about = { reqId: id, status, reason: error.code, ip: socket.remoteAddress };
    o.logger.info(about, "refused before its method and path could be read");
  }
  const body = errorBody(message, id);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${LFS_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function meaningOf(code: string): readonly [status: number, message: string] {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return [431, "the headers of the request are larger than the server allows: send fewer or shorter ones"];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, "the request took too long to arrive: send it again"];
    default:
      return [400, "the request is not valid HTTP"];
  }
}
