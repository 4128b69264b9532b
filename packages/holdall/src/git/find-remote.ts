import { execFile } from "node:child_process";
import { CommandError } from "../cli/exit-codes.ts";
import { safeUrl } from "../mask-secrets.ts";
import { parseRemoteUrl, type RemoteUrl } from "./remote-url.ts";

/** Where a command runs, and what it was given. */
interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Names of remotes and of repositories on a server have no colon. */
export function isUrl(text: string): boolean {
  return /^[a-z][a-z\d+.-]*:/i.test(text);
}

const OURS = /^(?:holdall::|(?:s3|s3\+zip|gs|az|file):\/\/)/i;

/**
 * The repository that is meant by a URL, or by the name of a remote of the repository in the current folder.
 * @throws CommandError when there is no such remote, or it is elsewhere than in a store; StorageError for a URL that is none
 */
export async function findRemote(text: string, place: Place): Promise<RemoteUrl> {
  if (isUrl(text)) return parseRemoteUrl(text);
  const url = await urlOfRemote(text, place);
  if (url === undefined) {
    throw new CommandError(
      `the repository in this folder has no remote ${JSON.stringify(text)}: name one that it has ("git remote"), or write a URL such as s3://bucket/path`,
    );
  }
  if (OURS.test(url)) return parseRemoteUrl(url);
  throw new CommandError(`the remote ${text} is at ${safeUrl(url)}, and not in a store`);
}

/** The URL of a remote, as git itself finds it. Undefined when there is no such remote, no repository, or no git. */
export async function urlOfRemote(name: string, place: Place): Promise<string | undefined> {
  const said = await git(["remote", "get-url", "--", name], place);
  return said?.trim();
}

/** Who is at work, as git would write it into a commit. Undefined when it does not know. */
export async function committer(place: Place): Promise<string | undefined> {
  return (await git(["var", "GIT_COMMITTER_IDENT"], place))?.replace(/ \d+ [+-]\d+\s*$/, "");
}

async function git(args: readonly string[], place: Place): Promise<string | undefined> {
  return await new Promise((resolve) => {
    execFile("git", args, { cwd: place.cwd, env: place.env }, (error, stdout) => {
      resolve(error === null ? stdout : undefined);
    });
  });
}
