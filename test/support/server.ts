import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, on, once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { atEnd, temporaryFolder } from "./cleanup.ts";
import { cleanEnvironment, HOLDALL_BIN } from "./holdall.ts";
import { runWell, type Finished } from "./run.ts";

export interface ServerOptions {
  /** Keys of the configuration file, beside `data` and `listen`. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly args?: readonly string[];
}

const LISTENING = /^Holdall listening on (http:\S+)$/;
const START_SECONDS = 30;
const LOG_SECONDS = 10;
const SHOWN_LOG_LINES = 40;

/** A `holdall serve` of the test's own: a real process on a free port with a data folder in a temporary folder. */
export class Server {
  readonly data: string;
  /** Holds the data folder and the configuration; where its commands run. */
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #url = "";
  readonly #log: string[] = [];
  readonly #lines = new EventEmitter<{ line: [string] }>();

  private constructor(folder: string, args: readonly string[]) {
    this.#folder = folder;
    this.data = join(folder, "data");
    this.#args = ["--data", this.data, ...args];
  }

  static async start(t: TestContext, options: ServerOptions = {}): Promise<Server> {
    const folder = await temporaryFolder(t, "server");
    const args = [...(options.args ?? [])];
    if (options.config !== undefined) {
      const file = join(folder, "holdall.yaml");
      // JSON is YAML.
      await writeFile(file, JSON.stringify(options.config));
      args.push("--config", file);
    }
    const server = new Server(folder, args);
    atEnd(t, async () => {
      await server.kill();
      // Node tells this from 24 on; its published types do not yet.
      if ("passed" in t && t.passed === false)
        t.diagnostic(["the server's last lines:", ...server.#log.slice(-SHOWN_LOG_LINES)].join("\n"));
    });
    await server.#serve("127.0.0.1:0");
    return server;
  }

  /** `http://127.0.0.1:PORT`, the same after a restart. */
  get url(): string {
    return this.#url;
  }

  /** A line that the server has written, or will write, to standard output or standard error. */
  async logged(isIt: (line: string) => boolean): Promise<string> {
    const seen = this.#log.find(isIt);
    if (seen !== undefined) return seen;
    for await (const [line] of on(this.#lines, "line", { signal: AbortSignal.timeout(LOG_SECONDS * 1000) })) {
      if (isIt(line as string)) return line as string;
    }
    throw new Error("Events do not end by themselves.");
  }

  /** The LFS address of a repository as a user may give it. */
  lfsUrl(repository: string): string {
    return `${this.#url}/${repository}`;
  }

  /** Sends SIGTERM and waits for the end, which must be in order. */
  async stop(): Promise<void> {
    const ended = this.#ended();
    this.#process?.kill("SIGTERM");
    assert.deepEqual(await ended, { code: 0, signal: null }, "SIGTERM must end the server with exit code 0");
  }

  /** Ends it on the spot, as `kill -9` does. */
  async kill(): Promise<void> {
    const ended = this.#ended();
    this.#process?.kill("SIGKILL");
    await ended;
  }

  /** Starts it again on the same data and the same port, after {@link stop} or {@link kill}. */
  async restart(): Promise<void> {
    await this.#serve(new URL(this.#url).host);
  }

  /** Runs a `holdall` command on the server's data. @throws Error with its output unless it exits with 0 */
  holdall(args: readonly string[], o: { input?: string } = {}): Promise<Finished> {
    const options = { ...o, cwd: this.#folder, env: cleanEnvironment() };
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

  /** Who has ended, or never began, is ended at once. */
  async #ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const { exitCode: code = null, signalCode: signal = null } = this.#process ?? {};
    if (this.#process === undefined || code !== null || signal !== null) return { code, signal };
    const [endCode, endSignal] = (await once(this.#process, "exit")) as [number | null, NodeJS.Signals | null];
    return { code: endCode, signal: endSignal };
  }

  /** Starts the process and waits until it says where it listens. */
  async #serve(listen: string): Promise<void> {
    const child = spawn(process.execPath, [HOLDALL_BIN, "serve", "--listen", listen, ...this.#args], {
      cwd: this.#folder,
      env: cleanEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const { stdout, stderr } = child;
    const note = (line: string): void => {
      this.#log.push(line);
      this.#lines.emit("line", line);
    };
    createInterface(stderr).on("line", note);
    this.#url = await new Promise<string>((resolve, reject) => {
      const giveUp = (why: string): void => {
        clearTimeout(timer);
        reject(new Error([`holdall serve ${why}`, ...this.#log].join("\n")));
      };
      const timer = setTimeout(() => giveUp(`was not listening after ${START_SECONDS} s`), START_SECONDS * 1000);
      child.once("error", (error) => giveUp(error.message));
      child.once("close", (code) => giveUp(`ended with exit code ${code}`));
      createInterface(stdout).on("line", (line) => {
        note(line);
        const url = LISTENING.exec(line)?.[1];
        if (url === undefined) return;
        clearTimeout(timer);
        resolve(url);
      });
    });
  }
}
