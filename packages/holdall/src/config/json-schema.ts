import { configSchema } from "./schema.ts";

/** What of JSON Schema the configuration's schema uses. */
interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  // How the program reads a value; no part of what is published.
  readonly expected?: string;
  readonly secret?: boolean;
  readonly path?: boolean;
}

/**
 * The JSON Schema of a configuration file: what editors check and complete with. Only the rules of a list have keys that
 * must be there, and a text with `${VAR}` may stand for any value.
 */
export function configJsonSchema(): object {
  const plain = JSON.parse(JSON.stringify(configSchema)) as JsonSchema;
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...published(plain),
    $defs: {
      variable: {
        description: "Text with an environment variable: ${VAR} or ${VAR:-default}.",
        type: "string",
        pattern: "\\$\\{",
      },
    },
  };
}

function published(schema: JsonSchema): JsonSchema {
  const { properties, items } = schema;
  if (properties !== undefined) {
    const { required: _, ...rest } = schema;
    return { ...rest, properties: mapValues(properties, published) };
  }
  if (items !== undefined) {
    const required = items.required === undefined ? {} : { required: items.required };
    return { ...schema, items: { ...published(items), ...required } };
  }
  const { description, default: fallback, expected: _, secret: __, path: ___, ...check } = schema;
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(takesAnyText(check) ? check : { anyOf: [...(check.anyOf ?? [check]), { $ref: "#/$defs/variable" }] }),
  };
}

/** Whether a text with a variable in it fits as it is. */
function takesAnyText({ type, pattern, minLength = 0 }: JsonSchema): boolean {
  return type === "string" && pattern === undefined && minLength <= 1;
}

function mapValues<T>(record: Readonly<Record<string, T>>, map: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}
