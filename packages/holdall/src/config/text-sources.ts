import { resolve } from "node:path";
import type { TSchema } from "typebox";
import { ValueError } from "./errors.ts";
import { KEYS, keyOf } from "./keys.ts";
import { nearest } from "./nearest.ts";
import type { Origin, Settings, Source } from "./settings.ts";
import { fromText, readValue } from "./values.ts";

/** What the command line may set, and the key that it sets. */
const FLAGS = {
  "--data": "data",
  "--listen": "listen",
  "--public-url": "publicUrl",
  "--store": "store",
  "--transfer": "transfer",
  "--workers": "workers",
} as const;

export type FlagName = keyof typeof FLAGS;

/** Reads the flags that were given. Relative paths are relative to `folder`. */
export function readFlags(flags: Partial<Record<FlagName, string>>, folder: string): Source {
  const settings: Settings = new Map();
  const problems: string[] = [];
  for (const [name, path] of Object.entries(FLAGS)) {
    const text = flags[name as FlagName];
    if (text !== undefined) readInto(settings, problems, { path, text, folder, origin: { kind: "flag", name } });
  }
  return { settings, problems };
}

/** Reads the `HOLDALL_*` variables. An empty one counts as unset: that is how compose files pass on what they lack. */
export function readEnvironment(env: NodeJS.ProcessEnv, folder: string): Source {
  const settings: Settings = new Map();
  const problems: string[] = [];
  const paths = new Map(KEYS.flatMap(({ path, variable }) => (variable === undefined ? [] : [[variable, path]])));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("HOLDALL_") || SERVICE_LINK.test(name)) continue;
    const path = paths.get(name);
    if (path === undefined) {
      problems.push(`${name}: unknown variable; the nearest known one is ${nearest(name, [...paths.keys()])}`);
    } else if (text !== undefined && text !== "") {
      readInto(settings, problems, { path, text, folder, origin: { kind: "variable", name } });
    }
  }
  return { settings, problems };
}

/** Kubernetes gives every pod the addresses of services in variables: a service called "holdall" makes HOLDALL_PORT. */
const SERVICE_LINK =
  /^HOLDALL_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_[A-Z]+(_[A-Z]+)?)?)$/;

function readInto(
  settings: Settings,
  problems: string[],
  o: { path: string; text: string; folder: string; origin: Extract<Origin, { name: string }> },
): void {
  const { schema } = keyOf(o.path);
  try {
    const raw = located(schema, fromText(schema, o.text), o.folder);
    settings.set(o.path, { raw, value: readValue(schema, raw), origin: o.origin });
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    problems.push(`${o.origin.name}: ${error.message}`);
  }
}

/** Makes a relative path absolute, when the schema says that the value is a path. */
export function located(schema: TSchema, raw: unknown, folder: string): unknown {
  return "path" in schema && typeof raw === "string" && raw !== "" ? resolve(folder, raw) : raw;
}
