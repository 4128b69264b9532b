import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sortedRefs } from "@holdall/git-protocol";
import { GitStoreError } from "./errors.ts";
import { pastStates } from "./history.ts";
import type { Kept } from "./maintenance.ts";
import type { Manifest, PackEntry } from "./manifest.ts";
import { fetchAll } from "./restore.ts";
import { missingPacks, storedPacks } from "./stored-packs.ts";
import { TemporaryRepository, type Say } from "./temporary-repository.ts";

/** What was found out about a repository. */
export interface FsckReport {
  readonly generation: number;
  readonly packs: number;
  /** Of packs, without their indexes. */
  readonly bytes: number;
  /** In words, one for each thing that is wrong. None: it is whole, as far as was looked. */
  readonly problems: readonly string[];
  /** The latest generation of which everything is there, when this one is not whole and all was looked at. */
  readonly whole?: number;
}

/** Git may have as much to say as there are objects. */
const MOST_LINES = 100;

/**
 * Checks a repository: that the manifest can be read, and that every pack that it names is there with its index and has the right
 * size.
 * @param o.full fetches all, checks the bytes, and has git check the objects and that all that refs reach is there
 * @throws GitStoreError when there is no repository, or no manifest that can be read; StorageError
 */
export async function fsck(
  { git, store }: Kept,
  o: { readonly full?: boolean; readonly say?: Say | undefined } = {},
): Promise<FsckReport> {
  const now = await git.read();
  if (now === undefined) throw new GitStoreError("refused", "there is no repository");
  const { manifest } = now;
  const packProblems = new Map(missingPacks(manifest, await storedPacks(store)));
  const { problems, whole } =
    o.full === true
      ? await checkObjects({ git, store }, manifest, { packProblems, say: o.say })
      : { problems: [...packProblems.values()] };
  const { generation, packs } = manifest;
  const bytes = packs.reduce((sum, { size }) => sum + size, 0);
  return { generation, packs: packs.length, bytes, problems, ...(whole === undefined ? {} : { whole }) };
}

interface Checked {
  readonly problems: readonly string[];
  readonly whole?: number | undefined;
}

/** What shows only when everything is read. */
async function checkObjects(
  { store }: Kept,
  manifest: Manifest,
  { packProblems, say }: { packProblems: Map<string, string>; say: Say | undefined },
): Promise<Checked> {
  const { packs, objectFormat } = manifest;
  await using repository = await TemporaryRepository.create(store, objectFormat);
  const failed = ({ name }: PackEntry, error: unknown): void => {
    if (!packProblems.has(name)) packProblems.set(name, error instanceof Error ? error.message : String(error));
  };
  await fetchAll({ store }, manifest, { repository, named: true, say, failed });
  say?.(`checking the objects of ${packs.length} packs`);
  const problems = [...packProblems.values(), ...(await gitProblems(repository, manifest))];
  if (problems.length === 0) return { problems };
  say?.("looking for a generation that is whole");
  return { problems, whole: await latestWhole({ store }, manifest, repository, say) };
}

async function gitProblems({ git }: TemporaryRepository, { refs, head }: Manifest): Promise<readonly string[]> {
  // As a file: git itself makes no ref of what is not there, and that is what is to be found.
  await writeFile(
    join(git.gitDir, "packed-refs"),
    sortedRefs(refs)
      .map(({ name, oid }) => `${oid} ${name}\n`)
      .join(""),
  );
  await git.run(["symbolic-ref", "HEAD", head]);
  const { code, stderr } = await git.tryRun(["fsck", "--strict", "--no-dangling", "--no-progress"]);
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("notice:"));
  const said = lines.slice(0, MOST_LINES);
  if (lines.length > said.length) said.push(`and ${lines.length - said.length} lines more from git`);
  if (code !== 0) return said.length === 0 ? [`git fsck ended with ${code}`] : said;
  const peeled = await git.run(["for-each-ref", "--format=%(refname) %(*objectname)"]);
  return peeled.split("\n").flatMap((line) => {
    const [ref = "", oid = ""] = line.split(" ");
    return (refs.get(ref)?.peeled ?? "") === oid ? [] : [`${ref} comes to ${oid}, not to what the manifest says`];
  });
}

async function latestWhole(
  { store }: Pick<Kept, "store">,
  manifest: Manifest,
  repository: TemporaryRepository,
  say: Say | undefined,
): Promise<number | undefined> {
  await fetchAll({ store }, manifest, { repository, say });
  const [good, bad] = [new Set<string>(), new Set<string>()];
  for await (const { generation, refs } of pastStates(store, manifest)) {
    const values = [...new Set([...refs.values()].map(({ oid }) => oid))];
    const fresh = values.filter((oid) => !good.has(oid) && !bad.has(oid));
    for (const oid of await repository.complete(fresh, good)) good.add(oid);
    for (const oid of fresh) if (!good.has(oid)) bad.add(oid);
    if (values.every((oid) => good.has(oid))) return generation;
  }
  return undefined;
}
