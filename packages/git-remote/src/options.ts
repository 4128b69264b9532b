import { unquoted } from "./unquote.ts";

/** What git has set with `option` (git: Documentation/gitremote-helpers). */
export interface Options extends Flags {
  verbosity: number;
  /** Only a part of the history, or of the objects, is wanted. */
  partial: boolean;
  /** What a ref has to be for a push to move it; undefined: it must not be there. */
  readonly leases: Map<string, string | undefined>;
  readonly pushOptions: string[];
}

interface Flags {
  progress: boolean;
  dryRun: boolean;
  atomic: boolean;
  /** Whether git wants to hear of object formats. */
  objectFormat: boolean;
  checkConnectivity: boolean;
  /** Git looks for objects that a clone has left out. */
  fromPromisor: boolean;
}

const FLAGS: ReadonlyMap<string, keyof Flags> = new Map([
  ["progress", "progress"],
  ["dry-run", "dryRun"],
  ["atomic", "atomic"],
  ["object-format", "objectFormat"],
  ["check-connectivity", "checkConnectivity"],
  ["from-promisor", "fromPromisor"],
]);

/** What asks for a part; how much of what, git says again in its protocol. */
const PARTIAL = new Set(["depth", "deepen-since", "deepen-not", "deepen-relative", "filter"]);

/** Nothing to be done here: git has looked already in the reflog that only it knows, or tells what is obvious. */
const OBVIOUS = new Set(["force-if-includes", "cloning", "followtags", "update-shallow", "refetch"]);

export function noOptions(): Options {
  return {
    verbosity: 1,
    progress: false,
    dryRun: false,
    atomic: false,
    objectFormat: false,
    checkConnectivity: false,
    fromPromisor: false,
    partial: false,
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
  const flag = FLAGS.get(name);
  if (flag !== undefined) options[flag] = value !== "false";
  else if (PARTIAL.has(name)) options.partial = true;
  // A store does not ask for signatures. Who insists on one hears that there is none.
  else if (name === "pushcert") return value === "if-asked" ? "ok" : "unsupported";
  else if (name === "verbosity") options.verbosity = Number(value);
  else if (name === "push-option") options.pushOptions.push(unquoted(value));
  else if (name === "cas") {
    const lease = unquoted(value);
    const at = lease.lastIndexOf(":");
    const expected = lease.slice(at + 1);
    options.leases.set(lease.slice(0, at), NOTHING.test(expected) ? undefined : expected);
  } else if (!OBVIOUS.has(name)) return "unsupported";
  return "ok";
}
