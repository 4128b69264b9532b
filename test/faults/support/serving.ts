import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { EventEmitter, on, once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { LfsUser } from "../../wire/support/lfs-user.ts";
import { atEnd, temporaryFolder } from "../../support/cleanup.ts";
import { cleanEnvironment, HOLDALL_BIN } from "../../support/holdall.ts";
import { type Finished, run, runWell } from "../../support/run.ts";

export interface ServeOptions {
  /** A folder of its own unless given. */
  readonly data?: string;
  /** Keys of the configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly args?: readonly string[];
  /** A command that turns into the one that follows it. */
  readonly under?: readonly string[];
}

/** A line of the log, with the fields that stories look at. */
export interface LogLine {
  readonly msg: string;
  readonly pid: number;
  readonly path?: string;
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const FIRST_LINE = /^Holdall listening on http:\/\/127\.0\.0\.1:(\d+)$/;
const START_MS = 60_000;
const LOG_MS = 60_000;
const SHOWN_LINES = 15;

/**
 * A `holdall serve`, of which a story needs the process itself: its signals, its limits, its memory, its log. It heads
 * a process group, as a program started from a terminal does.
 */
export class Serving {
  readonly data: string;
  readonly #options: ServeOptions;
  readonly #folder: string;
  readonly #lines: string[] = [];
  readonly #log = new EventEmitter<{ line: [LogLine] }>();
  #process: ChildProcessByStdio<null, Readable, Readable> | undefined;
  #end: Promise<End> = Promise.resolve({ code: null, signal: null });
  #port = 0;

  private constructor(folder: string, options: ServeOptions) {
    this.#folder = folder;
    this.#options = options;
    this.data = options.data ?? join(folder, "data");
  }

  static async start(t: TestContext, options: ServeOptions = {}): Promise<Serving> {
    const serving = new Serving(await temporaryFolder(t, "faults"), options);
    atEnd(t, async () => {
      serving.signalGroup("SIGKILL");
      await serving.end;
      if ("passed" in t && t.passed === false)
        t.diagnostic(["the server's last lines:", ...serving.#lines.slice(-SHOWN_LINES)].join("\n"));
    });
    await serving.restart();
    return serving;
  }

  get pid(): number {
    return this.#process?.pid ?? assert.fail("the server was not started");
  }

  /** Another one after each restart. */
  get port(): number {
    return this.#port;
  }

  /** How the process ended, when it has. */
  get end(): Promise<End> {
    return this.#end;
  }

  /** Someone who may do everything: nobody in particular, on this machine. */
  user(credentials?: string): LfsUser {
    return new LfsUser(this.#port, credentials);
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

  /** Ends it on the spot, without a word. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.end;
  }

  /** Sends SIGTERM and waits for the end, which must be in order. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    assert.deepEqual(await this.end, { code: 0, signal: null });
  }

  /** All lines of the log with this text so far, over restarts. */
  logged(msg: string): LogLine[] {
    return this.#lines.map(toLogLine).filter((line) => line !== undefined && line.msg === msg) as LogLine[];
  }

  /** Resolves when the log has so many lines with this text. */
  async untilLogged(msg: string, count = 1): Promise<LogLine[]> {
    if (this.logged(msg).length >= count) return this.logged(msg);
    for await (const _ of on(this.#log, "line", { signal: AbortSignal.timeout(LOG_MS) })) {
      if (this.logged(msg).length >= count) break;
    }
    return this.logged(msg);
  }

  /** Runs a `holdall` command on the server's data, which must succeed. */
  holdall(args: readonly string[], o: { input?: string } = {}): Promise<Finished> {
    const options = { ...o, cwd: this.#folder, env: cleanEnvironment() };
    return runWell(process.execPath, [HOLDALL_BIN, ...args, "--data", this.data], options);
  }

  /** Starts it (again, on the same data, after its end) and waits until it says where it listens. */
  async restart(): Promise<void> {
    const { config = {}, args = [], under = [] } = this.#options;
    const file = join(this.#folder, "holdall.yaml");
    // JSON is YAML.
    await writeFile(file, JSON.stringify(config));
    const serve = [HOLDALL_BIN, "serve", "--config", file, "--data", this.data, "--listen", "127.0.0.1:0", ...args];
    const [program = "", ...rest] = [...under, process.execPath, ...serve];
    const child = spawn(program, rest, {
      cwd: this.#folder,
      env: { ...cleanEnvironment(), HOLDALL_LOG_FORMAT: "json" },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#process = child;
    this.#end = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    createInterface(child.stderr).on("line", (line) => {
      this.#lines.push(line);
      const parsed = toLogLine(line);
      if (parsed !== undefined) this.#log.emit("line", parsed);
    });
    const lines = createInterface(child.stdout);
    const first = await Promise.race([
      once(lines, "line", { signal: AbortSignal.timeout(START_MS) }).then(([line]) => String(line)),
      this.#end.then((end) => `it ended: ${JSON.stringify(end)}, ${this.#lines.join("\n")}`),
    ]);
    const port = FIRST_LINE.exec(first)?.[1];
    assert.ok(port !== undefined, `the first line on standard output must say where the server listens, not: ${first}`);
    this.#port = Number(port);
  }
}

function toLogLine(line: string): LogLine | undefined {
  return line.startsWith("{") ? (JSON.parse(line) as LogLine) : undefined;
}

/** Runs `holdall serve`, which must refuse to start: exit code 1, nothing on standard output, one line on standard error. */
export async function refusedStart(
  args: readonly string[],
  o: { cwd?: string; under?: readonly string[] } = {},
): Promise<string> {
  const { under = [], ...options } = o;
  const [program = "", ...rest] = [...under, process.execPath, HOLDALL_BIN, "serve", ...args];
  const { code, stdout, stderr } = await run(program, rest, {
    ...options,
    env: cleanEnvironment(),
    timeoutSeconds: 60,
  });
  assert.deepEqual({ code, stdout, lines: stderr.split("\n").length - 1 }, { code: 1, stdout: "", lines: 1 }, stderr);
  return stderr.trimEnd();
}
