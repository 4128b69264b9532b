import { unquoted } from "./unquote.ts";

/** What git has set with `option` (git: Documentation/gitremote-helpers). */
export interface Options {
  verbosity: number;
  progress: boolean;
  dryRun: boolean;
  atomic: boolean;
  /** Whether git wants to hear of object formats. */
  objectFormat: boolean;
  checkConnectivity: boolean;
  forceIfIncludes: boolean;
  /** What a ref has to be for a push to move it; undefined: it must not be there. */
  readonly leases: Map<string, string | undefined>;
  readonly pushOptions: string[];
}

export function noOptions(): Options {
  return {
    verbosity: 1,
    progress: false,
    dryRun: false,
    atomic: false,
    objectFormat: false,
    checkConnectivity: false,
    forceIfIncludes: false,
    leases: new Map(),
    pushOptions: [],
  };
}

const NOTHING = /^0+$/;

/**
 * Sets what a line says. Settings that only narrow what git would do anyway may be refused without harm; git gives up by itself
 * where it cannot go on without one.
 * @returns the answer to git
 */
export function setOption(options: Options, name: string, value: string): "ok" | "unsupported" {
  const on = value !== "false";
  switch (name) {
    case "verbosity":
      options.verbosity = Number(value);
      return "ok";
    case "progress":
      options.progress = on;
      return "ok";
    case "dry-run":
      options.dryRun = on;
      return "ok";
    case "atomic":
      options.atomic = on;
      return "ok";
    case "object-format":
      options.objectFormat = on;
      return "ok";
    case "check-connectivity":
      options.checkConnectivity = on;
      return "ok";
    case "force-if-includes":
      // Git has looked already, in the reflog that only it knows.
      options.forceIfIncludes = on;
      return "ok";
    case "cas": {
      const at = value.lastIndexOf(":");
      const expected = value.slice(at + 1);
      options.leases.set(unquoted(value.slice(0, at)), NOTHING.test(expected) ? undefined : expected);
      return "ok";
    }
    case "push-option":
      options.pushOptions.push(unquoted(value));
      return "ok";
    case "cloning":
    case "followtags":
      return "ok";
    default:
      return "unsupported";
  }
}
