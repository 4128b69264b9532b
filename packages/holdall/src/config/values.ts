import { Type, type TSchema } from "typebox";
import { ValueError } from "./errors.ts";
import {
  DURATION_EXPECTED,
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_EXPECTED,
  SIZE_PATTERN,
} from "./units.ts";

/**
 * The kinds of values that the schema is made of. Each is a TypeBox schema of the value as a file spells it, and a codec
 * that reads it: so one declaration gives the type, the validation and the published JSON Schema.
 */
export interface ValueOptions {
  readonly description: string;
  /** As a file spells it. */
  readonly default?: string;
  /** Completes "must be …" for a value that does not fit. */
  readonly expected?: string;
  /** Never shown, neither in errors nor by `config print`. */
  readonly secret?: true;
  /** A path: a relative one is relative to the configuration file, or to the working folder when it comes from elsewhere. */
  readonly path?: true;
  readonly minLength?: number;
  readonly pattern?: string;
}

/** Text that needs no reading. */
export const text = (o: ValueOptions) => Type.String({ minLength: 1, ...o });

/** Text that `parse` reads; what it throws becomes the error. */
export const parsed = <T>(o: ValueOptions, parse: (text: string) => T, format: (value: T) => string) =>
  Type.Codec(Type.String({ minLength: 1, ...o }))
    .Decode((value) => adopt(parse, value))
    .Encode(format);

/** Milliseconds, from a text such as `30s`. `minimum` and `maximum` in milliseconds. */
export const duration = (o: ValueOptions & { minimum?: number; maximum?: number }) =>
  Type.Codec(Type.String({ ...bare(o), pattern: DURATION_PATTERN, expected: DURATION_EXPECTED }))
    .Decode((value) => within(parseDuration(value), o, formatDuration))
    .Encode(formatDuration);

/** Bytes, from a text such as `4MiB` or a number. `minimum` in bytes. */
export const size = (o: ValueOptions & { minimum?: number }) =>
  Type.Codec(
    Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: SIZE_PATTERN })], {
      ...bare(o),
      expected: SIZE_EXPECTED,
    }),
  )
    .Decode((value) => within(parseSize(String(value)), o, formatSize))
    .Encode(formatSize);

/** A whole number from `minimum` to `maximum`. */
export const count = (o: {
  readonly description: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly default?: number;
}) => Type.Integer({ ...o, expected: `a whole number from ${o.minimum} to ${o.maximum}` });

export const flag = (o: { readonly description: string; readonly default: boolean }) =>
  Type.Boolean({ ...o, expected: "true or false" });

/** One of a few words. */
export const word = <const T extends string[]>(
  words: readonly [...T],
  o: { readonly description: string; readonly default?: T[number] },
) => Type.Enum(words, { ...o, expected: `one of ${words.join(", ")}` });

/**
 * Reads one value as a file spells it.
 * @throws ValueError
 */
export function readValue(schema: TSchema, value: unknown): unknown {
  if (!fits(schema, value)) {
    const shown = "secret" in schema ? "" : `, not ${JSON.stringify(value)}`;
    throw new ValueError(`must be ${expected(schema)}${shown}`);
  }
  return Type.IsCodec(schema) ? schema["~codec"].decode(value) : value;
}

/** What the kinds above use of JSON Schema. */
interface Check {
  readonly type?: string;
  readonly anyOf?: readonly Check[];
  readonly enum?: readonly unknown[];
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** As TypeBox's own check would, which takes a fifth of the program's whole start to load. */
export function fits(schema: Check, value: unknown): boolean {
  if (schema.anyOf !== undefined) return schema.anyOf.some((alternative) => fits(alternative, value));
  if (schema.enum !== undefined) return schema.enum.includes(value);
  if (typeof value === "string") {
    if (schema.type !== "string" || value.length < (schema.minLength ?? 0)) return false;
    return schema.pattern === undefined || new RegExp(schema.pattern).test(value);
  }
  if (typeof value === "number") {
    if (schema.type !== "integer" || !Number.isInteger(value)) return false;
    return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity);
  }
  return schema.type === "boolean" && typeof value === "boolean";
}

/** The value that a file would have instead of this text. */
export function fromText(schema: TSchema, value: string): unknown {
  if (Type.IsInteger(schema) && /^-?[0-9]{1,15}$/.test(value)) return Number(value);
  if (Type.IsBoolean(schema) && (value === "true" || value === "false")) return value === "true";
  return value;
}

function expected(schema: TSchema): string {
  return "expected" in schema && typeof schema.expected === "string" ? schema.expected : "text that is not empty";
}

/** The parsers of other packages have errors of their own; their code for a bad argument is `invalid`. */
function adopt<T>(parse: (text: string) => T, value: string): T {
  try {
    return parse(value);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "invalid") {
      throw new ValueError(cause.message, { cause });
    }
    throw cause;
  }
}

function within(amount: number, o: { minimum?: number; maximum?: number }, format: (amount: number) => string): number {
  if (o.minimum !== undefined && amount < o.minimum) throw new ValueError(`must be at least ${format(o.minimum)}`);
  if (o.maximum !== undefined && amount > o.maximum) throw new ValueError(`must be at most ${format(o.maximum)}`);
  return amount;
}

/** In the JSON Schema `minimum` and `maximum` would be about numbers, and these values are texts. */
function bare<T extends { minimum?: number; maximum?: number }>(o: T) {
  const { minimum: _, maximum: __, ...rest } = o;
  return rest;
}
