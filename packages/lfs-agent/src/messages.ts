// All of lfs-protocol would bring the schemas of its messages, whose library takes longer to load than everything else here.
import { parseOid, type Oid } from "@holdall/lfs-protocol/oid";

// What git-lfs and a custom transfer agent say to each other, a line of JSON each (git-lfs: docs/custom-transfers.md).

/** The first thing that git-lfs says. */
export interface Init {
  readonly operation: "upload" | "download";
  /** The name of a remote, or a URL where git was given one in its place. */
  readonly remote: string;
}

/** One object to be transferred. */
export interface Wanted {
  readonly oid: Oid;
  /** Bytes. */
  readonly size: number;
}

export type Request =
  | ({ readonly event: "init" } & Init)
  | ({ readonly event: "upload"; readonly path: string } & Wanted)
  | ({ readonly event: "download" } & Wanted)
  | { readonly event: "terminate" };

interface Failure {
  readonly code: number;
  readonly message: string;
}

export type Answer =
  /** To `init`. */
  | { readonly error?: Failure }
  | {
      readonly event: "progress";
      readonly oid: string;
      readonly bytesSoFar: number;
      readonly bytesSinceLast: number;
    }
  | {
      readonly event: "complete";
      readonly oid: string;
      /** Of a download: where it is now. Git-lfs takes it from there. */
      readonly path?: string;
      readonly error?: Failure;
    };

/** A line that asks for nothing that there is. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  /** Of the object that it was about; empty when it was about none. */
  readonly oid: string;

  constructor(message: string, oid = "") {
    super(message);
    this.oid = oid;
  }
}

/** @throws RequestError for anything but a request */
export function parseRequest(line: string): Request {
  const fields = parseObject(line);
  const { event, oid: name, size, path, operation, remote } = fields;
  switch (event) {
    case "init":
      if (operation !== "upload" && operation !== "download") {
        throw new RequestError(`there is no operation ${shown(operation)}`);
      }
      return { event, operation, remote: typeof remote === "string" ? remote : "" };
    case "terminate":
      return { event };
    case "upload":
    case "download": {
      const oid = parseOid(name);
      if (oid === undefined) throw new RequestError(`${shown(name)} is not the name of an object`, nameIn(name));
      if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
        throw new RequestError(`${shown(size)} is no size of an object`, oid);
      }
      if (event === "download") return { event, oid, size };
      if (typeof path !== "string") throw new RequestError("upload without the path of a file", oid);
      return { event, oid, size, path };
    }
    default:
      throw new RequestError(
        `this agent does not know the event ${shown(event)}: it may be older than this git-lfs`,
        nameIn(name),
      );
  }
}

function nameIn(oid: unknown): string {
  return typeof oid === "string" ? oid : "";
}

export function formatAnswer(answer: Answer): string {
  return `${JSON.stringify(answer)}\n`;
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Said below, as for what is JSON but no object.
  }
  if (typeof value !== "object" || value === null) throw new RequestError(`${shown(line)} is no message of git-lfs`);
  return value as Record<string, unknown>;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").slice(0, 100);
}
