import { isRefName } from "@holdall/git-protocol";
import type { Denied, RefRule } from "./manifest.ts";

/** Whether a rule denies this to the ref. */
export function isDenied(rules: readonly RefRule[], ref: string, what: Denied): boolean {
  return rules.some(({ refs, deny }) => deny.includes(what) && matches(refs, ref));
}

/** Whether the text can be what a rule is about: the name of a ref, with `*` and `**` in it. */
export function isRefPattern(text: string): boolean {
  return isRefName(text.replaceAll("*", "x"));
}

/** `*` stands for any text within a segment, `**` for any number of segments. */
export function matches(pattern: string, ref: string): boolean {
  const source = pattern
    .split("/")
    .map((part) => (part === "**" ? ".+" : part.split("*").map(escaped).join("[^/]*")))
    .join("/");
  return new RegExp(`^${source}$`, "u").test(ref);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
