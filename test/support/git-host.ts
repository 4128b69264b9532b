import { spawn } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { forward } from "./forward.ts";
import { serveHttp } from "./http-server.ts";
import { runWell } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/**
 * A host for Git repositories over HTTP that passes LFS on to Holdall, as a forge behind nginx does: `…/info/lfs/…` goes
 * to Holdall under its own address and with `X-Forwarded-*`, everything else to git's own `http-backend`. Anyone may
 * push Git data.
 */
export class GitHost {
  readonly url: string;
  readonly #root: string;

  private constructor(url: string, root: string) {
    this.url = url;
    this.#root = root;
  }

  /** @param holdall where LFS requests go, asked anew for each: the server may start after the host */
  static async start(t: TestContext, holdall: () => string): Promise<GitHost> {
    const root = await temporaryFolder(t, "git-host");
    const port = await serveHttp(t, (incoming, response) =>
      incoming.url?.includes(".git/info/lfs/") === true
        ? passToHoldall(incoming, response, holdall())
        : runBackend(incoming, response, root),
    );
    // By name, unlike Holdall's own address: what leads back here was made from the forwarded headers.
    return new GitHost(`http://localhost:${port}`, root);
  }

  /** Creates an empty repository and returns the URL that users clone. */
  async createRepository(name: string): Promise<string> {
    await runWell("git", ["init", "--quiet", "--bare", "--initial-branch=main", join(this.#root, `${name}.git`)]);
    return `${this.url}/${name}.git`;
  }
}

async function passToHoldall(incoming: IncomingMessage, response: ServerResponse, origin: string): Promise<void> {
  const { method = "GET", url: path = "/", headers } = incoming;
  const exchange = { method, path, range: headers.range, status: 0, uploaded: 0, downloaded: 0 };
  const forwarded = {
    host: new URL(origin).host,
    "x-forwarded-for": incoming.socket.remoteAddress ?? "",
    "x-forwarded-host": headers.host ?? "",
    "x-forwarded-proto": "http",
  };
  await forward(incoming, response, origin, exchange, { headers: forwarded });
}

/** Runs git's CGI program for one request (RFC 3875). */
async function runBackend(incoming: IncomingMessage, response: ServerResponse, root: string): Promise<void> {
  const url = new URL(incoming.url ?? "/", "http://localhost");
  const header = (name: string): string => String(incoming.headers[name] ?? "");
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"],
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      REQUEST_METHOD: incoming.method,
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: header("content-type"),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      HTTP_GIT_PROTOCOL: header("git-protocol"),
      GIT_PROTOCOL: header("git-protocol"),
      // Whoever is signed in may push.
      REMOTE_USER: "anyone",
      REMOTE_ADDR: incoming.socket.remoteAddress,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  // The program may answer without reading the request to its end.
  backend.stdin.on("error", () => {});
  incoming.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  for await (const chunk of backend.stdout as AsyncIterable<Buffer>) {
    if (response.headersSent) {
      if (!response.write(chunk)) await once(response, "drain");
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) continue;
    readHead(response, head.subarray(0, end).toString("latin1"));
    response.flushHeaders();
    response.write(head.subarray(end + 4));
  }
  response.end();
}

function readHead(response: ServerResponse, head: string): void {
  for (const line of head.split("\r\n")) {
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1).trim();
    if (line.slice(0, colon).toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(line.slice(0, colon), value);
  }
}
