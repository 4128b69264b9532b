import { createRequire } from "node:module";
import type { Writable } from "node:stream";
import { destination, pino, type DestinationStream, type Logger } from "pino";
import type * as PinoPretty from "pino-pretty";
import type { Config } from "./config/schema.ts";
import { maskSecrets } from "./mask-secrets.ts";

export type { Logger } from "pino";

/** Lines are collected up to this many characters… */
const BUFFER_LENGTH = 32 * 1024;
/** …but no longer than this many milliseconds. */
const BUFFER_TIME = 200;

/**
 * The server's logger: readable lines on a terminal, JSON otherwise, as `log.format` says. JSON is written without waiting,
 * in buffers, and what is left is written when the process exits. Every line goes through {@link maskSecrets}.
 * @param stderr where to; logs never go to standard output, whose lines are for programs
 */
export function createLogger({ level, format }: Config["log"], stderr: Writable): Logger {
  const terminal = "isTTY" in stderr && stderr.isTTY === true;
  const pretty = format === "pretty" || (format === "auto" && terminal);
  return pino(
    {
      level,
      timestamp: isoTime(),
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: maskSecrets },
    },
    pretty ? prettyOutput(stderr, terminal) : jsonOutput(stderr),
  );
}

/** The time of a line, in ISO 8601; made once for all lines of a millisecond, because making it takes as long as all else. */
function isoTime(): () => string {
  let last = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== last) {
      last = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}

function prettyOutput(stderr: Writable, colorize: boolean): DestinationStream {
  // Loaded only here: services log JSON, and start sooner without it.
  const require = createRequire(import.meta.url);
  const { build } = require("pino-pretty") as typeof PinoPretty;
  // In this process: a worker thread would lose the last lines of a crash.
  return build({ colorize, destination: stderr, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" });
}

function jsonOutput(stderr: Writable): DestinationStream {
  if (!("fd" in stderr) || typeof stderr.fd !== "number") return stderr;
  return new LineBuffer(stderr.fd);
}

/** Writes lines together: the destination has a buffer too, but copies all of it for each line that comes. */
class LineBuffer implements DestinationStream {
  readonly #destination: ReturnType<typeof destination>;
  #lines = "";

  constructor(fd: number) {
    const to = destination({ fd, sync: false });
    this.#destination = to;
    setInterval(() => this.#flush(), BUFFER_TIME).unref();
    process.once("exit", () => {
      to.flushSync();
      // The other one would only begin to write them, and nobody waits any more.
      destination({ fd, sync: true }).write(this.#lines);
    });
  }

  write(line: string): void {
    this.#lines += line;
    if (this.#lines.length >= BUFFER_LENGTH) this.#flush();
  }

  #flush(): void {
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.#destination.write(lines);
  }
}
