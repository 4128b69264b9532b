import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { Readable } from "node:stream";
import { hasBundles } from "@holdall/git-bundles";
import { GitStore, type Kept, type Snapshot } from "@holdall/git-store";
import { formatStoreUrl } from "@holdall/object-store";
import { endOnSignals, StoppableStore } from "../../git/end-on-signal.ts";
import { committer, findRemote } from "../../git/find-remote.ts";
import { openRemote } from "../../git/open-remote.ts";
import type { RemoteUrl } from "../../git/remote-url.ts";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";

/** For the help of each command that takes one. */
export const REMOTE = "a URL such as s3://bucket/path, or the name of a remote of the repository here";

/** A repository in a store, as commands work with it. */
export interface InStore extends Kept {
  /** Without anything secret. */
  readonly url: string;
  /** As it is now. @throws CommandError when there is none */
  readonly read: () => Promise<Snapshot>;
  /** Who is at work, for the log. */
  readonly by: () => Promise<string | undefined>;
}

/** A repository in the layout of git-remote-s3, as commands work with it. */
export type AsBundles = Pick<InStore, "store" | "url">;

/**
 * Opens the repository that is meant, for one command, and closes its store again.
 * @param bundles what the command does with a repository in the layout of git-remote-s3, if it can do anything
 * @throws CommandError, GitStoreError, StorageError
 */
export async function inStore<T>(
  io: Io,
  remote: string,
  packs: (repository: InStore) => Promise<T>,
  bundles?: (repository: AsBundles) => Promise<T>,
): Promise<T> {
  return await withRemote(io, remote, async ({ found, store, url }) => {
    const git = new GitStore(store, { singleWriter: found.singleWriter });
    let first = found.layout === "bundles" ? undefined : await git.read();
    if (first === undefined && (found.layout === "bundles" || (await hasBundles(store)))) {
      if (bundles !== undefined) return await bundles({ store, url });
      const message = `${url} is kept in the layout of git-remote-s3, which this command does not know: import it`;
      throw new CommandError(message);
    }
    const read = async (): Promise<Snapshot> => {
      const now = first ?? (await git.read());
      first = undefined;
      if (now === undefined) throw new CommandError(`there is no repository at ${url}`);
      return now;
    };
    return await packs({ git, store, url, read, by: () => committer(io) });
  });
}

/** A store that a remote is in. */
export interface OpenedRemote extends AsBundles {
  readonly found: RemoteUrl;
}

/** Opens the store that is meant, for one command, and closes it again. @throws CommandError, StorageError */
export async function withRemote<T>(io: Io, remote: string, use: (opened: OpenedRemote) => Promise<T>): Promise<T> {
  const found = await findRemote(remote, io);
  const store = new StoppableStore(await openRemote(found));
  const stop = endOnSignals();
  try {
    return await use({ found, store, url: formatStoreUrl(found.store) });
  } finally {
    stop();
    await store.close();
  }
}

/** The full name of a branch, or of any ref that is given by its full name. */
export function fullName(ref: string): string {
  return ref.startsWith("refs/") ? ref : `refs/heads/${ref}`;
}

/** Says how far long work has got. */
export function progressTo(io: Io): (text: string) => void {
  return (text) => io.stderr.write(`${text}\n`);
}

/**
 * Has whoever is at the terminal agree.
 * @param yes they have already
 * @throws CommandError when nobody does, or can be asked
 */
export async function confirm(io: Io, question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!isTerminal(io.stdin)) throw new CommandError("there is nobody to ask whether that is meant: say so with --yes");
  // Without editing of the line, so that Ctrl-C stays a signal.
  using lines = createInterface({ input: io.stdin, output: io.stderr, terminal: false });
  const ended = once(lines, "close").then(() => "");
  const answer = await Promise.race([lines.question(`${question} [y/N] `), ended]);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new CommandError("nothing was changed");
}

function isTerminal(stdin: Readable): boolean {
  return "isTTY" in stdin && stdin.isTTY === true;
}
