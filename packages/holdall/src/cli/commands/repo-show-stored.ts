import { history, type LogEntry, type Manifest, type RefRule } from "@holdall/git-store";
import type { Io } from "../io.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { inStore } from "./repo-in-store.ts";

/** Shows a repository in a store. It takes two or three requests. @param remote a URL, or the name of a remote */
export async function showStored(io: Io, remote: string, json: boolean): Promise<void> {
  await inStore(io, remote, async ({ store, url, read }) => {
    const { manifest } = await read();
    const { value: change } = await history(store, manifest, 1).next();
    if (json) printJson(io.stdout, documentOf(url, manifest, change));
    else printTable(io.stdout, ["REPOSITORY", url], rowsOf(manifest, change));
  });
}

function documentOf(url: string, manifest: Manifest, change: LogEntry | undefined): object {
  const { objectFormat, generation, at, head, packs, retired, deleting, rules } = manifest;
  const { refs, branches, tags } = countsOf(manifest);
  return {
    url,
    layout: "packs",
    objectFormat,
    generation,
    changedAt: at,
    change: change === undefined ? null : { what: change.what, by: change.by ?? null },
    head,
    refs,
    branches,
    tags,
    packs,
    retired,
    deleting,
    rules,
  };
}

function rowsOf(manifest: Manifest, change: LogEntry | undefined): string[][] {
  const { objectFormat, generation, at, head, packs, retired, deleting, rules } = manifest;
  const { refs, branches, tags } = countsOf(manifest);
  const sum = (of: "size" | "objects"): number => packs.reduce((total, pack) => total + pack[of], 0);
  const by = change?.by === undefined ? "" : ` by ${change.by}`;
  return [
    ["layout", `packs, ${objectFormat}`],
    ["generation", String(generation)],
    ["last change", `${formatDate(at)} UTC, ${change?.what ?? "unknown"}${by}`],
    ["head", manifest.refs.has(head) ? head : `${head}, which is not there`],
    ["refs", `${refs}: ${branches} branches, ${tags} tags`],
    ["packs", `${packs.length}: ${sum("objects")} objects, ${sum("size")} bytes`],
    ["retired", `${retired.length} packs`],
    ...(deleting.length === 0 ? [] : [["being deleted", `${deleting.length} packs`]]),
    ...(rules.length === 0 ? [["rules", "none"]] : rules.map((rule) => ["rule", formatRule(rule)])),
  ];
}

function countsOf({ refs }: Manifest): { readonly refs: number; readonly branches: number; readonly tags: number } {
  const below = (prefix: string): number => [...refs.keys()].filter((ref) => ref.startsWith(prefix)).length;
  return { refs: refs.size, branches: below("refs/heads/"), tags: below("refs/tags/") };
}

/** In words, such as `refs/heads/main: no force, no delete`. */
export function formatRule({ refs, deny }: RefRule): string {
  return `${refs}: ${deny.map((what) => `no ${what}`).join(", ")}`;
}
