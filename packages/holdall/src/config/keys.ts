import { Type, type TObject, type TSchema } from "typebox";
import { configSchema } from "./schema.ts";

/** One key that takes a value: `limits.jsonBody`, but not `limits`. */
export interface Key {
  readonly path: string;
  readonly schema: TSchema;
  /** The environment variable that sets it; lists have none. */
  readonly variable?: string;
}

/** Every key, in the order of the schema. */
export const KEYS: readonly Key[] = [...keysOf(configSchema, "")];

const BY_PATH: ReadonlyMap<string, Key> = new Map(KEYS.map((key) => [key.path, key]));

/** The key of that path, which the caller took from the schema. */
export function keyOf(path: string): Key {
  const key = BY_PATH.get(path);
  if (key === undefined) throw new RangeError(`the schema has no key ${path}`);
  return key;
}

function* keysOf(section: TObject, prefix: string): Generator<Key> {
  for (const [name, schema] of Object.entries(section.properties)) {
    const path = prefix + name;
    if (Type.IsObject(schema)) yield* keysOf(schema, `${path}.`);
    else if (Type.IsArray(schema)) yield { path, schema };
    else yield { path, schema, variable: variableOf(path) };
  }
}

/** `limits.drainTimeout` is set by `HOLDALL_LIMITS_DRAIN_TIMEOUT`. */
function variableOf(path: string): string {
  const words = path.replaceAll(".", "_").replaceAll(/[A-Z]/g, "_$&");
  return `HOLDALL_${words.toUpperCase()}`;
}
