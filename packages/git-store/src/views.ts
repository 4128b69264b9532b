import { configFile, headFile, infoPacksFile, infoRefsFile, packedRefsFile, sortedRefs } from "@holdall/git-protocol";
import type { ObjectStore } from "@holdall/object-store/open";
import { VIEW_KEYS } from "./keys.ts";
import type { Manifest } from "./manifest.ts";
import { readSmall } from "./small-object.ts";

export type View = keyof typeof VIEW_KEYS;

/**
 * Where the store is a folder, git itself could push to it and collect its garbage, and of neither the manifest would know: what
 * comes by a push is refused by this, and nothing is removed (git: Documentation/config/receive, repository-version).
 */
const READ_ONLY = "[extensions]\n\tpreciousObjects = true\n[receive]\n\thideRefs = refs\n";

/** The state as plain tools read it. */
function viewsOf({ head, objectFormat, refs, packs }: Manifest): Readonly<Record<View, string>> {
  const sorted = sortedRefs(refs);
  return {
    head: headFile(head),
    config: configFile(objectFormat) + READ_ONLY,
    refsFolder: "",
    packedRefs: packedRefsFile(sorted),
    infoRefs: infoRefsFile(sorted),
    infoPacks: infoPacksFile(packs.map(({ name }) => name)),
  };
}

/** Those that show something else than before. */
export function changedViews(now: Manifest, before: Manifest | undefined): readonly (readonly [View, string])[] {
  const old = before && viewsOf(before);
  const texts = viewsOf(now);
  const all: readonly View[] = ["head", "config", "refsFolder", "packedRefs", "infoRefs", "infoPacks"];
  return all.flatMap((view) => (texts[view] === old?.[view] ? [] : [[view, texts[view]] as const]));
}

/** Those that do not show this state. Somebody who has just changed it may be about to write them. */
export async function staleViews(store: ObjectStore, now: Manifest): Promise<readonly View[]> {
  const shown = await Promise.all(
    changedViews(now, undefined).map(async ([view, text]) => {
      const found = await readSmall(store, VIEW_KEYS[view]);
      return found?.bytes.equals(Buffer.from(text)) === true ? [] : [view];
    }),
  );
  return shown.flat();
}
