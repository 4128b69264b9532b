import type { Token } from "@holdall/metadata";
import { Command } from "commander";
import type { Io } from "../io.ts";
import { addJsonOption, addWhereOptions, type WhereOptions } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { withData } from "../with-data.ts";

interface TokenListOptions extends WhereOptions {
  readonly json?: true;
  readonly user?: string;
}

export function tokenList(io: Io): Command {
  return addJsonOption(addWhereOptions(new Command("list").description("List tokens, newest first.")))
    .option("--user <name>", "only this user's")
    .action(async ({ json, user, ...where }: TokenListOptions) => {
      const tokens = await withData(io, where, { create: false }, (metadata) =>
        Array.fromAsync(metadata.tokens.list(user === undefined ? {} : { user })),
      );
      if (json) {
        const shown = tokens.map(({ id, user, right, repositories, note, createdAt, expiresAt }) => ({
          id,
          user: user.name,
          right,
          repositories,
          note: note ?? null,
          createdAt,
          expiresAt: expiresAt ?? null,
        }));
        printJson(io.stdout, { tokens: shown });
      } else {
        const rows = tokens.map((token) => [
          token.id,
          token.user.name,
          token.right,
          token.repositories.join(", "),
          formatExpiry(token),
          token.note ?? "",
        ]);
        printTable(io.stdout, ["ID", "USER", "RIGHT", "REPOSITORIES", "EXPIRES (UTC)", "NOTE"], rows);
      }
    });
}

function formatExpiry({ expiresAt }: Token): string {
  if (expiresAt === undefined) return "never";
  return expiresAt.getTime() > Date.now() ? formatDate(expiresAt) : `${formatDate(expiresAt)} (expired)`;
}
