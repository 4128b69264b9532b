import { Type, type TSchema } from "typebox";
import { Document, isScalar, Pair, Scalar, YAMLMap, type Node } from "yaml";
import { keyOf } from "./keys.ts";
import type { LoadedConfig } from "./load.ts";
import { formatOrigin } from "./settings.ts";

/** What is shown instead of a secret. */
const MASK = "********";

/** One line of `config print --json`. */
export interface ShownSetting {
  readonly key: string;
  /** As a file spells it; a secret is masked. */
  readonly value: unknown;
  readonly from: string;
}

/** Every key that has a value, secrets masked. */
export function shownSettings({ settings }: LoadedConfig): ShownSetting[] {
  return Array.from(settings, ([key, { raw, origin }]) => ({
    key,
    value: masked(keyOf(key).schema, raw),
    from: formatOrigin(origin),
  }));
}

/**
 * The effective configuration as a configuration file, each value with a comment that says where it came from. Reading it
 * again gives the same configuration, but for the secret.
 */
export function printConfig(loaded: LoadedConfig): string {
  const document = new Document();
  const top = new YAMLMap<Scalar, Node>(document.schema);
  document.contents = top;
  const sections = new Map([["", top]]);
  for (const { key, value, from } of shownSettings(loaded)) {
    const dot = key.lastIndexOf(".");
    const section = key.slice(0, Math.max(dot, 0));
    let map = sections.get(section);
    if (map === undefined) {
      map = new YAMLMap<Scalar, Node>(document.schema);
      sections.set(section, map);
      top.add(new Pair(new Scalar(section), map));
    }
    const name = new Scalar(key.slice(dot + 1));
    const node = document.createNode(escaped(value));
    // Beside a value of one line, above a list.
    if (isScalar(node)) node.comment = ` ${from}`;
    else name.commentBefore = ` ${from}`;
    map.add(new Pair(name, node));
  }
  return document.toString({ lineWidth: 0 });
}

/** The value without what its schema calls secret, wherever in it. */
function masked(schema: TSchema, value: unknown): unknown {
  if ("secret" in schema) return MASK;
  if (Type.IsArray(schema) && Array.isArray(value)) return value.map((item) => masked(schema.items, item));
  if (Type.IsObject(schema) && typeof value === "object" && value !== null) {
    const { properties } = schema;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, masked(properties[name] ?? Type.Unknown(), item)]),
    );
  }
  return value;
}

/** The value, so that the reader does not take its text for a reference to a variable. */
function escaped(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, escaped(item)]));
  }
  return value;
}
