import type { Person } from "./person.ts";
import type { Remote } from "./places.ts";

/** A work tree `work` with these commits on its branch, pushed. @returns the commits */
export async function begin(
  ada: Person,
  remote: Remote,
  { commits = ["one"], init = [] }: { readonly commits?: readonly string[]; readonly init?: readonly string[] } = {},
): Promise<readonly string[]> {
  await ada.init("work", remote, ...init);
  const oids: string[] = [];
  for (const message of commits) oids.push(await ada.commit("work", message));
  await ada.git("work", "push", "--quiet", "--set-upstream", "origin", "main");
  return oids;
}

/** What the remote has, as `git ls-remote` tells it: each ref with its value. */
export async function refsOf(ada: Person, remote: Pick<Remote, "url">): Promise<ReadonlyMap<string, string>> {
  const lines = (await ada.git(".", "ls-remote", remote.url)).split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const [oid = "", ref = ""] = line.split("\t");
      return [ref, oid];
    }),
  );
}

/** Clones the remote anew, all of its refs, and has git look at every object. */
export async function checkWhole(ada: Person, remote: Pick<Remote, "url">, folder = "whole"): Promise<void> {
  await ada.git(".", "clone", "--quiet", "--mirror", remote.url, folder);
  await ada.git(folder, "fsck", "--strict", "--full");
}
