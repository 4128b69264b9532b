import type { Writable } from "node:stream";
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import { build as prettyStream } from "pino-pretty";
import type { Config } from "./config/schema.ts";
import { maskSecrets } from "./mask-secrets.ts";

export type { Logger } from "pino";

/** Lines are collected up to this many bytes… */
const BUFFER_BYTES = 4096;
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
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: maskSecrets },
    },
    pretty ? prettyOutput(stderr, terminal) : jsonOutput(stderr),
  );
}

function prettyOutput(stderr: Writable, colorize: boolean): DestinationStream {
  // In this process: a worker thread would lose the last lines of a crash.
  return prettyStream({ colorize, destination: stderr, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" });
}

function jsonOutput(stderr: Writable): DestinationStream {
  if (!("fd" in stderr) || typeof stderr.fd !== "number") return stderr;
  return destination({ fd: stderr.fd, sync: false, minLength: BUFFER_BYTES, periodicFlush: BUFFER_TIME });
}
