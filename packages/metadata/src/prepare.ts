import type { Compilable, CompiledQuery } from "kysely";

class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const placeholders = new Proxy({}, { get: (_, name) => new Placeholder(String(name)) });

/**
 * Builds and compiles a query once, to be run many times: Kysely's building and compiling cost several times what SQLite
 * takes to answer a small query. `build` gets a stand-in for each value; it may pass them on as values, and nothing else.
 */
export function prepare<Values extends object, Row>(
  build: (values: Values) => Compilable<Row>,
): (values: Values) => CompiledQuery<Row> {
  const compiled = build(placeholders as Values).compile();
  return (values) => ({
    ...compiled,
    parameters: compiled.parameters.map((value): unknown =>
      value instanceof Placeholder ? Reflect.get(values, value.name) : value,
    ),
  });
}
