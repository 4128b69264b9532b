import { GitStoreError, history, type LogEntry } from "@holdall/git-store";
import { Command, InvalidArgumentError } from "commander";
import type { Io } from "../io.ts";
import { addJsonOption } from "../options.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { fullName, inStore, REMOTE, type InStore } from "./repo-in-store.ts";

interface RepoLogOptions {
  readonly ref?: string;
  readonly limit: number;
  readonly json?: true;
}

/** As many digits of an object's name as tell it from others, for people. */
const DIGITS = 10;

export function repoLog(io: Io): Command {
  const command = new Command("log")
    .description("Show who changed a repository in a store, and how its refs moved, the latest first.")
    .argument("<remote>", REMOTE)
    .option("--ref <ref>", "only changes of this ref; a name that does not begin with refs/ is a branch")
    .option("--limit <number>", "how many changes at most", readLimit, 20);
  return addJsonOption(command).action(async (remote: string, o: RepoLogOptions) => {
    await inStore(io, remote, async (repository) => {
      const { shown, gap } = await look(repository, o);
      if (o.json) printJson(io.stdout, { entries: shown.map(documentOf) });
      else {
        const header = ["GENERATION", "WHEN (UTC)", "WHAT", "BY", "REF", "FROM", "TO"];
        printTable(io.stdout, header, shown.flatMap(rowsOf));
      }
      if (gap !== undefined) throw gap;
    });
  });
}

interface Shown {
  readonly entry: LogEntry;
  readonly updates: LogEntry["updates"];
  readonly head: LogEntry["head"];
}

interface Found {
  readonly shown: readonly Shown[];
  /** Why the log goes back no further. */
  readonly gap?: GitStoreError;
}

async function look({ read, store }: InStore, { ref, limit }: RepoLogOptions): Promise<Found> {
  const { manifest } = await read();
  const shown: Shown[] = [];
  try {
    for await (const entry of history(store, manifest)) {
      const one = ref === undefined ? { entry, updates: entry.updates, head: entry.head } : only(fullName(ref), entry);
      if (one !== undefined) shown.push(one);
      if (shown.length === limit) break;
    }
    return { shown };
  } catch (error) {
    if (error instanceof GitStoreError && error.code === "corrupt") return { shown, gap: error };
    throw error;
  }
}

/** What a change has done to one ref; undefined when that is nothing. */
function only(ref: string, entry: LogEntry): Shown | undefined {
  const updates = entry.updates.filter((update) => update.ref === ref);
  return updates.length === 0 ? undefined : { entry, updates, head: undefined };
}

function documentOf({ entry: { generation, transaction, at, what, by, options }, updates, head }: Shown): object {
  return {
    generation,
    transaction,
    at,
    what,
    by: by ?? null,
    head: head ?? null,
    updates: updates.map(({ ref, from, to }) => ({ ref, from: from ?? null, to: to ?? null })),
    options: options ?? [],
  };
}

function rowsOf({ entry: { generation, at, what, by }, updates, head }: Shown): string[][] {
  const moves = updates.map(({ ref, from, to }) => [ref, short(from), short(to)]);
  if (head !== undefined) moves.push(["HEAD", head.from, head.to]);
  const start = [String(generation), formatDate(at), what, by ?? ""];
  const [first = [], ...rest] = moves;
  return [start.concat(first), ...rest.map((move) => ["", "", "", ""].concat(move))];
}

function short(oid: string | undefined): string {
  return oid === undefined ? "–" : oid.slice(0, DIGITS);
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return limit;
}
