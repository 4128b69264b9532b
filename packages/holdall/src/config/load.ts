import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { defaultRules } from "@holdall/identity";
import { checkTogether, onlyThisMachine } from "./cross-checks.ts";
import { ConfigError } from "./errors.ts";
import { KEYS } from "./keys.ts";
import { formatWho, type Config } from "./schema.ts";
import type { Setting, Settings, Source } from "./settings.ts";
import { located, readEnvironment, readFlags, type FlagName } from "./text-sources.ts";
import { readValue } from "./values.ts";

const DEFAULT_FILE = "holdall.yaml";

export interface LoadOptions {
  /** The working folder. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** The configuration file; without it, `holdall.yaml` in the working folder when there is one. */
  readonly file?: string;
  readonly flags?: Partial<Record<FlagName, string>>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Every key that has a value, in the order of the schema, with where the value came from. */
  readonly settings: ReadonlyMap<string, Setting>;
}

/**
 * Puts the configuration together: flags win over variables, variables over the file, the file over defaults.
 * @throws ConfigError with everything that is wrong, a line for each
 */
export async function loadConfig(o: LoadOptions): Promise<LoadedConfig> {
  const sources = [await readFileSource(o), readEnvironment(o.env, o.cwd), readFlags(o.flags ?? {}, o.cwd)];
  const problems = sources.flatMap((source) => source.problems);
  if (problems.length > 0) throw new ConfigError(problems);

  const settings: Settings = new Map();
  for (const { path, schema } of KEYS) {
    const given = sources.findLast((source) => source.settings.has(path))?.settings.get(path);
    if (given !== undefined) settings.set(path, given);
    else if ("default" in schema) {
      const raw = located(schema, schema.default, o.cwd);
      settings.set(path, {
        raw,
        value: Array.isArray(raw) ? raw : readValue(schema, raw),
        origin: { kind: "default" },
      });
    }
  }
  addDerivedDefaults(settings);
  const config = assemble(settings);
  const conflicts = checkTogether(config, settings);
  if (conflicts.length > 0) throw new ConfigError(conflicts);
  const order = KEYS.flatMap(({ path }) => {
    const setting = settings.get(path);
    return setting === undefined ? [] : [[path, setting] as const];
  });
  return { config, settings: new Map(order) };
}

async function readFileSource(o: LoadOptions): Promise<Source> {
  const shown = o.file ?? DEFAULT_FILE;
  const file = resolve(o.cwd, shown);
  try {
    const text = await readFile(file, "utf8");
    // Loaded only here: many servers have no file, and start sooner without the parser.
    const { readYaml } = await import("./yaml-source.ts");
    return readYaml(text, { file, shown, env: o.env });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause)) throw cause;
    if (cause.code === "ENOENT" && o.file === undefined) return { settings: new Map(), problems: [] };
    const reason = cause.code === "ENOENT" ? "there is no such file" : cause.message;
    throw new ConfigError([`${shown}: cannot be read: ${reason}`], { cause });
  }
}

/** The defaults that depend on other keys. */
function addDerivedDefaults(settings: Settings): void {
  const given = assemble(settings);
  if (!settings.has("store")) {
    const path = join(given.data, "store");
    const value = { kind: "file", path };
    settings.set("store", { raw: pathToFileURL(path).href, value, origin: { kind: "default" } });
  }
  if (!settings.has("access")) {
    const value = defaultRules({ loopback: given.allowAnonymousWrite || onlyThisMachine(given) });
    const raw = value.map((rule) => ({
      who: formatWho(rule.who),
      repositories: rule.repositories.text,
      right: rule.right,
    }));
    settings.set("access", { raw, value, origin: { kind: "default" } });
  }
}

/** The paths and the values are the schema's own, so together they are its type. */
function assemble(settings: Settings): Config {
  const config: Record<string, unknown> = {};
  for (const [path, { value }] of settings) {
    const parts = path.split(".");
    const name = parts.pop() ?? "";
    let section = config;
    for (const part of parts) section = (section[part] ??= {}) as Record<string, unknown>;
    section[name] = value;
  }
  return config as Config;
}
