import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { FoundService } from "../../scripts/services.ts";

export interface ServiceCommand {
  readonly service: FoundService;
  readonly args: (port: number) => readonly string[];
  readonly env?: Readonly<NodeJS.ProcessEnv>;
}

const READY_SECONDS = 60;
const STOP_SECONDS = 10;
/** Of its output, for the message when it does not start. */
const SHOWN = 4000;
/** Another program may take a free port before the server does. */
const ATTEMPTS = 3;

/** A server that tests need, on a free port of 127.0.0.1. Disposing of it ends it. */
export class ServiceProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Starts it and waits until it takes connections. @throws Error with what it printed when it does not */
  static async start(command: ServiceCommand): Promise<ServiceProcess> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#start(command, await freePort());
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  static async #start({ service, args, env = {} }: ServiceCommand, port: number): Promise<ServiceProcess> {
    const child = spawn(service.path, args(port), {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const server = new ServiceProcess(port, child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      // Listened to for as long as it runs, so that no pipe ever fills.
      stream.setEncoding("utf8").on("data", (text: string) => {
        if (output.length < SHOWN) output += text;
      });
    }
    const over = new AbortController();
    const ended = new Promise<never>((_resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
    });
    try {
      await Promise.race([answering(port, over.signal), ended]);
      return server;
    } catch (cause) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${[service.path, ...args(port)].join(" ")} did not serve\n${output.slice(0, SHOWN)}`, { cause });
    } finally {
      over.abort();
      ended.catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_SECONDS * 1000);
    await ended;
    clearTimeout(timer);
  }
}

async function answering(port: number, signal: AbortSignal): Promise<void> {
  const late = Date.now() + READY_SECONDS * 1000;
  while (!(await accepts(port))) {
    if (Date.now() > late) throw new Error(`it took no connection within ${READY_SECONDS} s`);
    await delay(20, undefined, { signal });
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const yes = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return yes;
}

/** Systems give ports of their own choice from above these, so nobody gets one of these who did not ask for it. */
const [FIRST_PORT, LAST_PORT] = [10_000, 32_000];

/** A port that was free a moment ago, and that no other program is given by chance. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
