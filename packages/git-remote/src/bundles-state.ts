import type { BundleListing } from "@holdall/git-bundles";
import type { RefState } from "./moves.ts";

/** What a push to bundles goes by. Protection in git-remote-s3 is against everything but going forward. */
export function stateOf({ objectFormat, head, refs, protectedRefs }: BundleListing): RefState {
  return {
    objectFormat,
    head,
    refs,
    rules: [...protectedRefs].map((ref) => ({ refs: ref, deny: ["force", "delete"] })),
  };
}
