import { chmod, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { ObjectStore } from "@holdall/object-store";
import type { FoundService } from "../../scripts/services.ts";
import { atEnd } from "./at-end.ts";
import { Person } from "./git-remote/person.ts";
import { storeOf, type Places, type Remote } from "./git-remote/places.ts";
import { requireService } from "./require.ts";
import { type Finished, run } from "./run.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The original program in its newest version, and in one from before it had locks. */
export const ORIGINALS = { "0.4.2": "git-remote-s3", "0.1.20": "git-remote-s3-old" } as const;

export type OriginalVersion = keyof typeof ORIGINALS;

const PROGRAMS = ["git-remote-s3", "git-remote-s3+zip", "git-s3"];

/** Two people at one bucket, with one home. */
export interface Two {
  /** Has our programs. */
  readonly ours: Person;
  /** Has the original's. */
  readonly theirs: Person;
  /** Without a layout: what is there decides. */
  readonly remote: Remote;
  /** Past git. */
  readonly store: ObjectStore;
}

/** Undefined, and the test skipped, where the original cannot be had. */
export async function twoPeople(
  t: TestContext,
  places: Places,
  version: OriginalVersion,
  prefix = "repository",
): Promise<Two | undefined> {
  const place = await places.remote(t, "S3");
  if (place === undefined) return undefined;
  const remote = { ...place, url: place.url.replace("some/repository", prefix) };
  const ours = await Person.create(t, { env: remote.env });
  const theirs = await withOriginal(t, ours, version);
  if (theirs === undefined) return undefined;
  const store = await storeOf(remote);
  atEnd(t, () => store.close());
  return { ours, theirs, remote, store };
}

/** What there is below a prefix. */
export async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix))).map(({ key }) => key);
}

/**
 * The same person, for whose git the original git-remote-s3 stands where ours does. Undefined, and the test skipped, where it
 * cannot be had.
 */
async function withOriginal(t: TestContext, person: Person, version: OriginalVersion): Promise<Person | undefined> {
  const service = await requireService(t, ORIGINALS[version]);
  if (service === undefined) return undefined;
  const folder = await programsOf(t, service);
  return person.with({ PATH: [folder, person.env["PATH"]].join(delimiter) });
}

/** Runs `git s3 …` in one of the person's folders, and answers its questions. */
export async function gitS3(person: Person, folder: string, args: readonly string[], answers = ""): Promise<Finished> {
  return await run("git", ["s3", ...args], { cwd: person.path(folder), env: person.env, input: answers });
}

/** Its scripts know the Python of where they were installed; they are given the one of where they are. */
async function programsOf(t: TestContext, { path: python }: FoundService): Promise<string> {
  const folder = await temporaryFolder(t, "original");
  for (const name of PROGRAMS) {
    const program = join(folder, name);
    await writeFile(program, `#!/bin/sh\nexec '${python}' '${join(dirname(python), name)}' "$@"\n`);
    await chmod(program, 0o755);
  }
  return folder;
}
