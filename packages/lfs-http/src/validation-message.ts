import type { FastifySchemaValidationError } from "fastify";

/** As much of a JSON Schema as requests are described with. */
interface Schema {
  readonly type?: string;
  readonly const?: string;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** What the validator adds to an error when it is verbose. */
interface Verbose {
  readonly parentSchema?: Schema;
}

/**
 * One sentence of what a validator found: the place, and what is allowed there.
 * @param errors of a verbose validator that stops at the first place that is wrong
 * @param part of the request: `body`, `querystring`
 */
export function validationMessage(errors: readonly (FastifySchemaValidationError & Verbose)[], part: string): string {
  // Of alternatives each has failed, and then all of them; the one that got furthest is what the client meant.
  const depths = errors.map(({ instancePath }) => instancePath.split("/").length);
  const error = errors[depths.lastIndexOf(Math.max(...depths))];
  const { instancePath = "", parentSchema = {}, params = {} } = error ?? {};
  // In a query everything is text unless it is there twice.
  if (part === "querystring") return `${placeOf(instancePath)} is in the query more than once`;
  const missing = params["missingProperty"];
  if (typeof missing !== "string") return `${placeOf(instancePath)} must be ${allowedBy(parentSchema)}`;
  const wanted = parentSchema.properties?.[missing] ?? {};
  return `${placeOf(`${instancePath}/${missing}`)} is missing: it must be ${allowedBy(wanted)}`;
}

/** `/objects/0/oid` is `objects[0].oid`. */
function placeOf(instancePath: string): string {
  const path = instancePath.slice(1).replaceAll(/\/(\d+)/g, "[$1]");
  return path === "" ? "the body" : path.replaceAll("/", ".");
}

const OF_TYPE: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  integer: "a whole number",
  number: "a number",
  object: "an object",
  string: "text",
};

/** Null is allowed where something may be left out, which is what a client should do. */
function allowedBy({ type = "", const: literal, anyOf, minimum }: Schema): string {
  if (literal !== undefined) return literal;
  if (anyOf !== undefined) {
    const ways = anyOf.filter((way) => way.type !== "null");
    const texts = ways.map(allowedBy);
    return ways.every((way) => way.const !== undefined) ? `one of ${texts.join(", ")}` : texts.join(" or ");
  }
  const what = OF_TYPE[type] ?? "of another form";
  return minimum === undefined ? what : `${what} from ${minimum} on`;
}
