import type { ConnectionError } from "fastify";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { LFS_MEDIA_TYPE } from "@holdall/lfs-protocol";
import { DOCUMENTATION_URL } from "./send-error.ts";

/** Answers what is no request that the platform can read, in the form of all other errors, and closes the connection. */
export function answerClientError(error: ConnectionError, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = meaningOf(error.code);
  const body = JSON.stringify({ message, documentation_url: DOCUMENTATION_URL });
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
