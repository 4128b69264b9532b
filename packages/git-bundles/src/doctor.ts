import { isRefName } from "@holdall/git-protocol";
import type { ObjectKey, ObjectStore } from "@holdall/object-store/open";
import { UPLOADS_PREFIX } from "./layout.ts";
import { bundlesOf, headOf, readBundles, type BundleEntry, type BundleListing } from "./listing.ts";
import { LOCK_TTL } from "./lock.ts";

/** Something that is not as git-remote-s3 needs it, in words and as data. */
export type BundleFinding =
  | {
      readonly kind: "several-bundles";
      readonly text: string;
      readonly ref: string;
      /** The newest first, which is what clones get. */
      readonly bundles: readonly FoundBundle[];
    }
  | { readonly kind: "stale-lock"; readonly text: string; readonly ref: string; readonly etag: string }
  | {
      readonly kind: "dangling-head";
      readonly text: string;
      /** What it may be. */
      readonly branches: readonly string[];
      /** The one that one would guess. */
      readonly guess: string | undefined;
    }
  | { readonly kind: "left-over-upload"; readonly text: string; readonly key: ObjectKey; readonly etag: string }
  /** For a person: git cannot have both refs. */
  | { readonly kind: "refs-in-the-way"; readonly text: string; readonly refs: readonly [string, string] }
  /** For a person: no ref can be made of it. */
  | { readonly kind: "strange-bundle"; readonly text: string; readonly key: ObjectKey };

export interface FoundBundle extends Pick<BundleEntry, "oid" | "size" | "modifiedAt"> {
  /** No other ref has this object as its value. */
  readonly isOnlyCopy: boolean;
}

/** What {@link repair} is to do. */
export type BundleRepair =
  | {
      readonly kind: "keep-bundle";
      readonly ref: string;
      /** What the ref is to be. */
      readonly keep: string;
      /** All that were found: if there are others by then, nothing is done. */
      readonly found: readonly string[];
      /** Of the others, those that are to go. The rest become branches. */
      readonly remove: readonly string[];
    }
  | { readonly kind: "break-lock"; readonly ref: string; readonly etag: string }
  | { readonly kind: "set-head"; readonly head: string }
  | { readonly kind: "remove-upload"; readonly key: ObjectKey; readonly etag: string };

/** After so many seconds nobody uploads a bundle any more. */
const LONGEST_UPLOAD = 24 * 3600;

export interface DiagnosisOptions {
  /** Seconds after which a lock is stale. */
  readonly lockTtl?: number;
  readonly now?: Date;
}

/** Looks for what pushes that were broken off, and programs without locks, have left. Changes nothing. */
export async function diagnose(store: ObjectStore, o: DiagnosisOptions = {}): Promise<readonly BundleFinding[]> {
  const now = (o.now ?? new Date()).getTime();
  const listing = await readBundles(store);
  const findings: BundleFinding[] = [...listing.older.keys()].map((ref) => several(listing, ref));
  for (const { ref, etag, modifiedAt } of listing.locks) {
    const seconds = Math.floor((now - modifiedAt.getTime()) / 1000);
    if (seconds <= (o.lockTtl ?? LOCK_TTL)) continue;
    findings.push({ kind: "stale-lock", text: `${ref} has been locked for ${seconds} seconds`, ref, etag });
  }
  findings.push(...danglingHead(listing), ...inTheWay(listing));
  for (const key of listing.strange) {
    findings.push({ kind: "strange-bundle", text: `no ref of this repository can be called as ${key} is`, key });
  }
  for await (const { key, etag, size, modifiedAt } of store.list(UPLOADS_PREFIX)) {
    if (now - modifiedAt.getTime() <= LONGEST_UPLOAD * 1000) continue;
    findings.push({ kind: "left-over-upload", text: `${key}, ${size} bytes, was never published`, key, etag });
  }
  return findings;
}

/**
 * What to do about it, where that needs nobody's decision: of several bundles the newest stays, and the others become branches.
 * @param o.deleteBundles they go instead, and with them what nothing else has
 */
export function planRepairs(
  findings: readonly BundleFinding[],
  o: { readonly deleteBundles?: boolean } = {},
): readonly BundleRepair[] {
  return findings.flatMap((finding): BundleRepair[] => {
    switch (finding.kind) {
      case "several-bundles": {
        const [keep = "", ...others] = finding.bundles.map(({ oid }) => oid);
        const remove = o.deleteBundles === true ? others : [];
        return [{ kind: "keep-bundle", ref: finding.ref, keep, found: [keep, ...others], remove }];
      }
      case "stale-lock":
        return [{ kind: "break-lock", ref: finding.ref, etag: finding.etag }];
      case "dangling-head":
        return finding.guess === undefined ? [] : [{ kind: "set-head", head: finding.guess }];
      case "left-over-upload":
        return [{ kind: "remove-upload", key: finding.key, etag: finding.etag }];
      case "refs-in-the-way":
      case "strange-bundle":
        return [];
    }
  });
}

function several(listing: BundleListing, ref: string): BundleFinding {
  const elsewhere = new Set([...listing.refs.values()].flatMap((entry) => (entry.ref === ref ? [] : [entry.oid])));
  const bundles = bundlesOf(listing, ref).map(({ oid, size, modifiedAt }) => {
    return { oid, size, modifiedAt, isOnlyCopy: !elsewhere.has(oid) };
  });
  const text = `${ref} has ${bundles.length} bundles and should have one: git-remote-s3 can no longer push to it`;
  return { kind: "several-bundles", text, ref, bundles };
}

function danglingHead({ head, refs }: BundleListing): BundleFinding[] {
  const branches = [...refs.keys()].filter((ref) => ref.startsWith("refs/heads/"));
  if (branches.length === 0 || (head !== undefined && refs.has(head))) return [];
  const text =
    head === undefined
      ? "nothing says which branch clones begin with"
      : `clones begin with ${head}, which is not there`;
  return [{ kind: "dangling-head", text, branches, guess: headOf({ head, refs }) }];
}

function inTheWay({ refs }: BundleListing): BundleFinding[] {
  return [...refs.keys()].flatMap((ref): BundleFinding[] => {
    const parts = ref.split("/");
    const above = parts
      .map((_, end) => parts.slice(0, end).join("/"))
      .find((name) => isRefName(name) && refs.has(name));
    if (above === undefined) return [];
    return [{ kind: "refs-in-the-way", text: `git cannot have both ${above} and ${ref}`, refs: [above, ref] }];
  });
}
