/** Every exit code of the program, and what it means; `docs/cli.md` has the same table. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: "It worked." },
  failed: { code: 1, meaning: "It did not work; the message on standard error says why and what to do." },
  usage: { code: 2, meaning: "The command line is wrong: an unknown command or option, or one that is missing." },
} as const;

/** The command cannot do what was asked. The message says why and what to do. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "failed";
}

/** The command ends with this exit code, and has said all there is to say. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}
