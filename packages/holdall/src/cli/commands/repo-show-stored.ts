import { headOf, readBundles, type BundleListing } from "@holdall/git-bundles";
import { history, type LogEntry, type Manifest, type RefRule } from "@holdall/git-store";
import type { Io } from "../io.ts";
import { formatDate, printJson, printTable } from "../output.ts";
import { inStore } from "./repo-in-store.ts";

/** Shows a repository in a store. It takes two or three requests. @param remote a URL, or the name of a remote */
export async function showStored(io: Io, remote: string, json: boolean): Promise<void> {
  await inStore(
    io,
    remote,
    async ({ store, url, read }) => {
      const { manifest } = await read();
      const { value: change } = await history(store, manifest).next();
      if (json) printJson(io.stdout, documentOf(url, manifest, change));
      else printTable(io.stdout, ["REPOSITORY", url], rowsOf(manifest, change));
    },
    async ({ store, url }) => showBundles(io, url, { listing: await readBundles(store), json }),
  );
}

function showBundles(io: Io, url: string, { listing, json }: { listing: BundleListing; json: boolean }): void {
  const { objectFormat, refs, protectedRefs } = listing;
  const head = headOf(listing);
  const bytes = [...refs.values()].reduce((total, { size }) => total + size, 0);
  const counts = countsOf({ refs });
  if (json) {
    const protects = [...protectedRefs];
    printJson(io.stdout, { url, layout: "bundles", objectFormat, head, ...counts, bytes, protected: protects });
    return;
  }
  const rows = [
    ["layout", `bundles of git-remote-s3, ${objectFormat}`],
    ["head", head ?? "none"],
    ["refs", inWords(counts)],
    ["bundles", `${bytes} bytes`],
    ...[...protectedRefs].map((ref) => ["protected", ref]),
  ];
  printTable(io.stdout, ["REPOSITORY", url], rows);
}

function documentOf(url: string, manifest: Manifest, change: LogEntry | undefined): object {
  const { objectFormat, generation, at, head, packs, retired, deleting, rules } = manifest;
  return {
    url,
    layout: "packs",
    objectFormat,
    generation,
    changedAt: at,
    change: change === undefined ? null : { what: change.what, by: change.by ?? null },
    head,
    ...countsOf(manifest),
    packs,
    retired,
    deleting,
    rules,
  };
}

function rowsOf(manifest: Manifest, change: LogEntry | undefined): string[][] {
  const { objectFormat, generation, at, head, packs, retired, deleting, rules } = manifest;
  const sum = (of: "size" | "objects"): number => packs.reduce((total, pack) => total + pack[of], 0);
  const by = change?.by === undefined ? "" : ` by ${change.by}`;
  return [
    ["layout", `packs, ${objectFormat}`],
    ["generation", String(generation)],
    ["last change", `${formatDate(at)} UTC, ${change?.what ?? "unknown"}${by}`],
    ["head", manifest.refs.has(head) ? head : `${head}, which is not there`],
    ["refs", inWords(countsOf(manifest))],
    ["packs", `${packs.length}: ${sum("objects")} objects, ${sum("size")} bytes`],
    ["retired", `${retired.length} packs`],
    ...(deleting.length === 0 ? [] : [["being deleted", `${deleting.length} packs`]]),
    ...(rules.length === 0 ? [["rules", "none"]] : rules.map((rule) => ["rule", formatRule(rule)])),
  ];
}

interface Counts {
  readonly refs: number;
  readonly branches: number;
  readonly tags: number;
}

function inWords({ refs, branches, tags }: Counts): string {
  return `${refs}: ${branches} branches, ${tags} tags`;
}

function countsOf({ refs }: { readonly refs: ReadonlyMap<string, unknown> }): Counts {
  const below = (prefix: string): number => [...refs.keys()].filter((ref) => ref.startsWith(prefix)).length;
  return { refs: refs.size, branches: below("refs/heads/"), tags: below("refs/tags/") };
}

/** In words, such as `refs/heads/main: no force, no delete`. */
export function formatRule({ refs, deny }: RefRule): string {
  return `${refs}: ${deny.map((what) => `no ${what}`).join(", ")}`;
}
