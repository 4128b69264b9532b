import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";
import { cleanEnvironment, HOLDALL_BIN, LISTENING } from "./holdall.ts";
import { LfsUser } from "./lfs-user.ts";
import { type Finished, runWell } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface ServerOptions {
  /** A folder of the server's own unless given. */
  readonly data?: string;
  /** Keys of the configuration file, beside `data` and `listen`. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly args?: readonly string[];
  /** Beside what every test has. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** A command that turns into the one that follows it. */
  readonly under?: readonly string[];
}

/** A line of the log, with the fields that tests look at. */
export interface LogLine {
  /** All of it, as it was written. */
  readonly text: string;
  readonly msg: string;
  readonly pid: number;
  readonly reqId?: string;
  readonly method?: string;
  readonly path?: string;
}

/** The message of a line, or what tells it from others. */
type Which = string | ((line: LogLine) => boolean);

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

// Generous: a busy machine is no failure.
const START_SECONDS = 60;
const LOG_SECONDS = 60;
const SHOWN_LINES = 40;

/**
 * A `holdall serve` of the test's own: a real process on a free port of 127.0.0.1, with its data in a temporary folder.
 * It heads a process group, as a program that is started from a terminal does.
 */
export class Server {
  readonly data: string;
  /** Holds the configuration, and the data unless they are elsewhere; where its commands run. */
  readonly #folder: string;
  readonly #command: readonly string[];
  readonly #env: Readonly<NodeJS.ProcessEnv>;
  readonly #lines: string[] = [];
  readonly #log: LogLine[] = [];
  readonly #written = new EventEmitter<{ line: [] }>();
  #process: ChildProcess | undefined;
  #end: Promise<End> = Promise.resolve({ code: null, signal: null });
  #url = "";

  private constructor(folder: string, o: ServerOptions) {
    this.#folder = folder;
    this.data = o.data ?? join(folder, "data");
    this.#env = { ...cleanEnvironment(), ...o.env };
    const serve = [HOLDALL_BIN, "serve", "--config", this.#configFile, "--data", this.data, ...(o.args ?? [])];
    this.#command = [...(o.under ?? []), process.execPath, ...serve];
  }

  static async start(t: TestContext, o: ServerOptions = {}): Promise<Server> {
    const server = new Server(await temporaryFolder(t, "server"), o);
    // JSON is YAML.
    await writeFile(server.#configFile, JSON.stringify(o.config ?? {}));
    running.add(server);
    atEnd(t, async () => {
      server.signalGroup("SIGKILL");
      await server.end;
      running.delete(server);
      // Node tells this from 24 on; its published types do not yet.
      if ("passed" in t && t.passed === false)
        t.diagnostic(["the server's last lines:", ...server.#lines.slice(-SHOWN_LINES)].join("\n"));
    });
    await server.#serve("127.0.0.1:0");
    return server;
  }

  /** `http://127.0.0.1:PORT`, the same after a restart. */
  get url(): string {
    return this.#url;
  }

  get port(): number {
    return Number(new URL(this.#url).port);
  }

  /** Of the process that was started; with workers, of the one that looks after them. */
  get pid(): number {
    return this.#process?.pid ?? assert.fail("the server was not started");
  }

  /** How the process ended, when it has. */
  get end(): Promise<End> {
    return this.#end;
  }

  /** The LFS address of a repository as a user may give it. */
  lfsUrl(repository: string): string {
    return `${this.#url}/${repository}`;
  }

  /**
   * Somebody who speaks HTTP to it without a git-lfs in between.
   * @param credentials `name:password`; nobody in particular without, who may write unless the configuration says otherwise
   */
  user(credentials?: string, o: { readonly ownConnections?: boolean } = {}): LfsUser {
    return new LfsUser(this.port, credentials, o);
  }

  /** The lines of the log so far, over restarts, that are these. */
  logged(which: Which): LogLine[] {
    return this.#log.filter(typeof which === "string" ? ({ msg }) => msg === which : which);
  }

  /** What it has written to standard error beside the log. */
  unlogged(): string[] {
    return this.#lines.filter((line) => !line.startsWith("{"));
  }

  /** {@link logged}, as soon as there are so many. */
  async untilLogged(which: Which, count = 1): Promise<LogLine[]> {
    const signal = AbortSignal.timeout(LOG_SECONDS * 1000);
    for (;;) {
      const lines = this.logged(which);
      if (lines.length >= count) return lines;
      await once(this.#written, "line", { signal }).catch((cause: unknown) => {
        throw new Error(`after ${LOG_SECONDS} s the log has ${lines.length} of ${count} lines: ${String(which)}`, {
          cause,
        });
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** As a terminal and a service manager do: to the workers too. */
  signalGroup(signal: NodeJS.Signals): void {
    try {
      if (this.#process?.pid !== undefined) process.kill(-this.#process.pid, signal);
    } catch (error) {
      // Nobody is left.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }

  /** Sends SIGTERM and waits for the end, which must be in order. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    assert.deepEqual(await this.end, { code: 0, signal: null }, "SIGTERM must end the server with exit code 0");
  }

  /** Ends it on the spot, as `kill -9` does. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.end;
  }

  /** Starts it again on the same data and the same port, after its end. */
  async restart(): Promise<void> {
    await this.#serve(new URL(this.#url).host);
  }

  /** Runs a `holdall` command on the server's data. @throws Error with its output unless it exits with 0 */
  holdall(args: readonly string[], o: { input?: string } = {}): Promise<Finished> {
    const options = { ...o, cwd: this.#folder, env: this.#env };
    return runWell(process.execPath, [HOLDALL_BIN, ...args, "--data", this.data], options);
  }

  async addUser(name: string, password: string, o: { admin?: boolean } = {}): Promise<void> {
    const admin = o.admin === true ? ["--admin"] : [];
    await this.holdall(["user", "add", name, ...admin, "--password-stdin"], { input: `${password}\n` });
  }

  /** Creates a token and returns it. */
  async createToken(
    user: string,
    right: "read" | "write" | "admin",
    repository: string,
    more: readonly string[] = [],
  ): Promise<string> {
    const what = ["--user", user, "--right", right, "--repository", repository, ...more];
    return (await this.holdall(["token", "create", ...what])).stdout.trim();
  }

  get #configFile(): string {
    return join(this.#folder, "holdall.yaml");
  }

  /** Starts the process and waits until it says where it listens. */
  async #serve(listen: string): Promise<void> {
    const [program, ...args] = [...this.#command, "--listen", listen];
    const child = spawn(program, args, {
      cwd: this.#folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#process = child;
    this.#end = once(child, "exit").then(([code, signal]) => ({ code, signal }));
    createInterface(child.stderr).on("line", (text) => this.#note(text));
    try {
      this.#url = await Promise.race([firstAddress(child.stdout), this.#end.then(endedEarly)]);
    } catch (cause) {
      throw new Error(["holdall serve did not start:", ...this.#lines.slice(-SHOWN_LINES)].join("\n"), { cause });
    }
  }

  #note(text: string): void {
    this.#lines.push(text);
    if (text.startsWith("{")) this.#log.push({ ...(JSON.parse(text) as LogLine), text });
    this.#written.emit("line");
  }
}

/** Where a server says that it listens. @throws Error unless that is the first thing that it says */
async function firstAddress(stdout: Readable): Promise<string> {
  const signal = AbortSignal.timeout(START_SECONDS * 1000);
  const [line] = (await once(createInterface(stdout), "line", { signal })) as [string];
  const url = LISTENING.exec(line)?.[1];
  assert.ok(url !== undefined, `the first line on standard output must say where the server listens, not: ${line}`);
  return url;
}

function endedEarly({ code, signal }: End): never {
  throw new Error(`it ended with ${signal ?? `exit code ${code}`}`);
}

/** To be ended with the tests. */
const running = new Set<Server>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    // An interrupt from the terminal goes to the tests' process group, and each server heads one of its own.
    for (const server of running) server.signalGroup("SIGKILL");
    process.kill(process.pid, signal);
  });
}
