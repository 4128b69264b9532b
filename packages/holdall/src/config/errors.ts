/** A value that is not what it must be. The message completes "<key>: …". */
export class ValueError extends Error {
  override readonly name = "ValueError";
  readonly code = "invalid-value";
}

/** The configuration cannot be used. `problems` holds one line for each thing that is wrong, with where it is. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "invalid-config";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join("\n"), options);
    this.problems = problems;
  }
}
