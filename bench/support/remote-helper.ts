import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { CHECKOUT } from "../../test/support/holdall.ts";

const HELPER = join(CHECKOUT, "packages", "holdall", "bin", "git-remote-holdall.js");

/** What git says first, whatever it wants. */
const HELLO = ["capabilities", "option progress false", "option verbosity 1", "list"];
const KIB = 1024;

/** The helper as git runs it, spoken to without git. */
class Helper implements AsyncDisposable {
  readonly startedAt: number = performance.now();
  /** Settles when it has ended. */
  readonly closed: Promise<unknown>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(url: string, env: Readonly<NodeJS.ProcessEnv>) {
    this.#child = spawn(process.execPath, [HELPER, "origin", url], { env, stdio: ["pipe", "pipe", "ignore"] });
    this.closed = once(this.#child, "close");
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  say(lines: readonly string[]): void {
    this.#child.stdin.write(lines.map((line) => `${line}\n`).join(""));
  }

  /** Lines up to an empty one. @throws Error when the helper ends before */
  async answer(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const { done, value } = await this.#lines.next();
      if (done === true) throw new Error(`the helper has ended after ${lines.join(", ")}`);
      if (value === "") return lines;
      lines.push(value);
    }
  }

  /** The most memory that it has held (resident). */
  async peakBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * KIB;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end("\n");
    await this.closed;
  }
}

/** Has the helper bring all of a repository into one that is empty. @returns the most memory that it has held, in bytes */
export async function memoryOfClone(url: string, gitDir: string, env: Readonly<NodeJS.ProcessEnv>): Promise<number> {
  await using helper = new Helper(url, { ...env, GIT_DIR: gitDir });
  helper.say(HELLO);
  await helper.answer();
  const refs = (await helper.answer()).flatMap((line) => /^([0-9a-f]{40}) (\S+)$/.exec(line)?.[0] ?? []);
  helper.say([...refs.map((ref) => `fetch ${ref}`), ""]);
  await helper.answer();
  return await helper.peakBytes();
}

/**
 * From the start of the helper to its first request to an S3 server, in milliseconds.
 * @param env with credentials: without, a program looks for them in other places first
 */
export async function timeToFirstRequest(env: Readonly<NodeJS.ProcessEnv>): Promise<number> {
  const server = createServer((_request, response) => {
    response.writeHead(404, { "content-type": "application/xml" }).end("<Error><Code>NoSuchKey</Code></Error>");
  });
  const asked = once(server, "request").then(() => performance.now());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await using helper = new Helper("s3://bucket/repository?layout=packs", { ...env, AWS_ENDPOINT_URL: endpoint });
    helper.say(HELLO);
    const at = await Promise.race([asked, helper.closed]);
    if (typeof at !== "number") throw new Error("the helper has ended before its first request");
    return at - helper.startedAt;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
