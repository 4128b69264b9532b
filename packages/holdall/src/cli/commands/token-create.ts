import { createToken, type TokenRequest } from "@holdall/identity";
import { Command, InvalidArgumentError, Option } from "commander";
import { ValueError } from "../../config/errors.ts";
import { parseDuration } from "../../config/units.ts";
import type { Io } from "../io.ts";
import { addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate } from "../output.ts";
import { withData } from "../with-data.ts";

interface TokenCreateOptions extends WhereOptions {
  readonly user: string;
  readonly right: TokenRequest["right"];
  readonly repository: readonly string[];
  /** Milliseconds from now. */
  readonly expires: number | "never";
  readonly note?: string;
}

const EVERYWHERE: readonly string[] = ["**"];

export function tokenCreate(io: Io): Command {
  return addWhereOptions(new Command("create"))
    .description("Make a token and print it, alone, on standard output. It is shown only this once.")
    .requiredOption("--user <name>", "whose token it is; it never does more than this user may")
    .addOption(
      new Option("--right <right>", "the most that the token may do")
        .choices(["read", "write", "admin"])
        .default("write"),
    )
    .addOption(
      new Option("--repository <pattern>", "where the token works; may be repeated")
        .argParser((pattern: string, before: typeof EVERYWHERE) =>
          before === EVERYWHERE ? [pattern] : [...before, pattern],
        )
        .default(EVERYWHERE, "**, everywhere"),
    )
    .addOption(
      new Option("--expires <duration>", "how long the token works, such as 12h or 90d, or never")
        .argParser(parseExpiry)
        .default(parseExpiry("90d"), "90d"),
    )
    .option("--note <text>", "what the token is for; shown in lists")
    .action(async ({ user, right, repository, expires, note, ...where }: TokenCreateOptions) => {
      const request: TokenRequest = {
        user,
        right,
        repositories: repository,
        ...(note === undefined ? {} : { note }),
        ...(expires === "never" ? {} : { expiresAt: new Date(Date.now() + expires) }),
      };
      const { secret, token } = await withData(io, where, { create: false }, ({ tokens }) =>
        createToken(tokens, request),
      );
      const until = token.expiresAt === undefined ? "without end" : `until ${formatDate(token.expiresAt)} UTC`;
      io.stderr.write(`Token ${token.id} of ${user}: ${token.right} in ${token.repositories.join(", ")}, ${until}.\n`);
      io.stdout.write(`${secret}\n`);
    });
}

function parseExpiry(text: string): number | "never" {
  if (text === "never") return text;
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new InvalidArgumentError(`It ${error.message}; or never.`);
  }
}
