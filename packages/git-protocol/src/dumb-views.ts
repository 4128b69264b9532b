import type { ObjectFormat } from "./object-id.ts";

/** A ref as plain tools are to see it. */
export interface NamedRef {
  readonly name: string;
  readonly oid: string;
  /** What an annotated tag comes to. */
  readonly peeled?: string;
}

/**
 * Refs as views have them: in the order of the bytes of their names.
 * @param refs with what annotated tags come to
 */
export function sortedRefs(
  refs: Iterable<readonly [name: string, value: Omit<NamedRef, "name">]>,
): readonly NamedRef[] {
  return Array.from(refs, ([name, value]) => ({ bytes: Buffer.from(name), ref: { name, ...value } }))
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ ref }) => ref);
}

// The files that a repository on a plain web server needs (git: Documentation/git-update-server-info, gitprotocol-http).

/** `HEAD`: a branch, which need not be there yet. */
export function headFile(branch: string): string {
  return `ref: ${branch}\n`;
}

/** `config`: how the repository is to be read. */
export function configFile(format: ObjectFormat): string {
  const version = format === "sha1" ? 0 : 1;
  const extensions = format === "sha1" ? "" : `[extensions]\n\tobjectformat = ${format}\n`;
  return `[core]\n\trepositoryformatversion = ${version}\n\tfilemode = true\n\tbare = true\n${extensions}`;
}

/** `info/refs`. @param refs as {@link sortedRefs} orders them */
export function infoRefsFile(refs: Iterable<NamedRef>): string {
  let text = "";
  for (const { name, oid, peeled } of refs) {
    text += `${oid}\t${name}\n`;
    if (peeled !== undefined) text += `${peeled}\t${name}^{}\n`;
  }
  return text;
}

/** `packed-refs` (git: refs/packed-backend.c). @param refs as {@link sortedRefs} orders them */
export function packedRefsFile(refs: Iterable<NamedRef>): string {
  let text = "# pack-refs with: peeled fully-peeled sorted \n";
  for (const { name, oid, peeled } of refs) {
    text += `${oid} ${name}\n`;
    if (peeled !== undefined) text += `^${peeled}\n`;
  }
  return text;
}

/** `objects/info/packs`. Clients look in them in this order. @param names as `pack-…`, without an ending */
export function infoPacksFile(names: Iterable<string>): string {
  let text = "";
  for (const name of names) text += `P ${name}.pack\n`;
  return `${text}\n`;
}
