import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { type ProcessUsage, usageOfTree } from "./process-usage.ts";
import type { Sample } from "./series.ts";
import type { Stage } from "./stage.ts";

export interface ServerCommand {
  /** As it appears in tables. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Where it runs, and where its log goes. */
  readonly folder: string;
  /** How it is known to serve: by a line on standard output that names its address, or by its port. */
  readonly ready: { readonly line: RegExp } | { readonly port: number };
}

const READY_SECONDS = 60;
const STOP_SECONDS = 20;
const SHOWN_LOG_LINES = 20;

/** A server under load, as a process of its own. It ends with the stage at the latest. */
export class ServerProcess {
  readonly name: string;
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Just before the process was started, on the clock of `performance.now()`. */
  readonly startedAt: number;
  readonly #child: ChildProcess;

  private constructor(name: string, origin: string, startedAt: number, child: ChildProcess) {
    this.name = name;
    this.origin = origin;
    this.startedAt = startedAt;
    this.#child = child;
  }

  /** Starts it and waits until it serves. @throws Error with its last lines when it does not */
  static async start(stage: Stage, command: ServerCommand): Promise<ServerProcess> {
    const { name, program, args, env, folder, ready } = command;
    const logFile = join(folder, "log");
    // Into a file, as a service's log goes; reading a pipe would take time from the load.
    const log = await open(logFile, "a");
    const stdout = "line" in ready ? "pipe" : log.fd;
    stage.throwIfOver();
    const startedAt = performance.now();
    const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", stdout, log.fd] });
    stage.defer(() => end(child));
    try {
      const ended = new Promise<never>((_resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
      });
      const serving = "line" in ready ? lineOf(child, ready.line) : answering(ready.port);
      const late = delay(READY_SECONDS * 1000, undefined, { ref: false }).then(() => {
        throw new Error(`it did not serve after ${READY_SECONDS} s`);
      });
      const origin = await Promise.race([serving, ended, late]);
      return new ServerProcess(name, origin, startedAt, child);
    } catch (cause) {
      const lines = (await readFile(logFile, "utf8")).trimEnd().split("\n").slice(-SHOWN_LOG_LINES);
      throw new Error([`${name} did not start: ${[program, ...args].join(" ")}`, ...lines].join("\n"), { cause });
    } finally {
      await log.close();
    }
  }

  get #pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  usage(): Promise<ProcessUsage> {
    return usageOfTree(this.#pid);
  }

  /** Does the work and adds what it cost the server. */
  async under(work: () => Promise<Sample>): Promise<Sample> {
    const before = await this.usage();
    const sample = await work();
    const { cpuSeconds, peakBytes } = await this.usage();
    return { ...sample, serverCpu: cpuSeconds - before.cpuSeconds, peakBytes };
  }

  /** Ends it in order; by force when that takes too long. */
  stop(): Promise<void> {
    return end(this.#child);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_SECONDS * 1000);
  await ended;
  clearTimeout(timer);
}

async function lineOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (child.stdout === null) throw new Error("the server was started without a pipe");
  const lines = createInterface(child.stdout);
  return new Promise((resolve) => {
    // The listener stays, so that the pipe never fills.
    lines.on("line", (line) => {
      const origin = pattern.exec(line)?.[1];
      if (origin !== undefined) resolve(origin);
    });
  });
}

async function answering(port: number): Promise<string> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    if (await connected(socket)) return `http://127.0.0.1:${port}`;
    await delay(20);
  }
}

function connected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).then((yes) => {
    socket.destroy();
    return yes === true;
  });
}

/** A port that was free a moment ago, for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}
