import { open } from "node:fs/promises";
import { type ObjectFormat } from "@holdall/git-protocol";
import { GitStoreError, type LocalGit } from "@holdall/git-store";

/** The most that may come before the pack, in bytes: git-remote-s3 writes one line. */
const MOST_HEADER = 1024 * 1024;

const SIGNATURE = /^# v([23]) git bundle$/;

/** A bundle of which the header has been read. */
export interface OpenBundle {
  /** The rest, which is a pack. To be read to its end, or returned. */
  readonly pack: AsyncIterable<Uint8Array>;
}

/**
 * Reads the header of a bundle (git: Documentation/gitformat-bundle) and leaves the pack.
 * @param what for messages
 * @throws GitStoreError `corrupt` when it is none, or one that needs objects which it does not have
 */
export async function openBundle(
  body: AsyncIterable<Uint8Array>,
  { what, format }: { readonly what: string; readonly format: ObjectFormat },
): Promise<OpenBundle> {
  const chunks = body[Symbol.asyncIterator]();
  let opened = false;
  try {
    let head = Buffer.alloc(0);
    let end = -1;
    while (end < 0) {
      const { value, done } = await chunks.next();
      if (done === true) throw corrupt(what, "it ends before its pack begins");
      const from = Math.max(0, head.length - 1);
      head = Buffer.concat([head, value]);
      end = head.indexOf("\n\n", from);
      if (end < 0 && head.length > MOST_HEADER) throw corrupt(what, "it is no bundle; it may be encrypted");
    }
    checkHeader(head.toString("utf8", 0, end).split("\n"), what, format);
    opened = true;
    return { pack: resumed(head.subarray(end + 2), chunks) };
  } finally {
    if (!opened) await chunks.return?.();
  }
}

function checkHeader([signature = "", ...lines]: readonly string[], what: string, format: ObjectFormat): void {
  const version = SIGNATURE.exec(signature)?.[1];
  if (version === undefined) throw corrupt(what, "it is no bundle; it may be encrypted");
  let found: ObjectFormat = "sha1";
  for (const line of lines) {
    if (line === "@object-format=sha256") found = "sha256";
    else if (line.startsWith("@") && line !== "@object-format=sha1") throw corrupt(what, `it needs ${line.slice(1)}`);
    else if (line.startsWith("-")) throw corrupt(what, "it is only an addition to others, which nobody can tell");
  }
  if (found !== format) throw corrupt(what, `its objects are named by ${found}, and it by ${format}`);
}

async function* resumed(first: Uint8Array, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    await chunks.return?.();
  }
}

/**
 * Writes a bundle of an object and all that it reaches, as `git bundle create` would, which takes no bare oids.
 * @param o.ref what the bundle calls the object
 * @returns its length in bytes
 * @throws GitError when something is missing
 */
export async function writeBundle(
  git: LocalGit,
  path: string,
  { oid, ref }: { readonly oid: string; readonly ref: string },
): Promise<number> {
  await using file = await open(path, "wx", 0o600);
  let size = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten;
    size += bytes.length;
  };
  await write(Buffer.from(`# v2 git bundle\n${oid} ${ref}\n\n`));
  const args = ["pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q"];
  await git.stream(args, { input: [Buffer.from(`${oid}\n`)], pass: write });
  return size;
}

function corrupt(what: string, why: string): GitStoreError {
  return new GitStoreError("corrupt", `${what} cannot be read: ${why}. Nothing of it was kept`);
}
