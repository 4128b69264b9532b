import { configFile, headFile, infoPacksFile, infoRefsFile } from "@holdall/git-protocol";
import type { ObjectStore } from "@holdall/object-store/open";
import { VIEW_KEYS } from "./keys.ts";
import { compareBytes, type Manifest } from "./manifest.ts";
import { readSmall } from "./small-object.ts";

export type View = keyof typeof VIEW_KEYS;

/** The state as plain tools read it. */
function viewsOf({ head, objectFormat, refs, packs }: Manifest): Readonly<Record<View, string>> {
  const sorted = [...refs].toSorted(([a], [b]) => compareBytes(a, b));
  return {
    head: headFile(head),
    config: configFile(objectFormat),
    refsFolder: "",
    infoRefs: infoRefsFile(
      sorted.map(([name, { oid, peeled }]) => (peeled === undefined ? { name, oid } : { name, oid, peeled })),
    ),
    infoPacks: infoPacksFile(packs.map(({ name }) => name)),
  };
}

/** Those that show something else than before. */
export function changedViews(now: Manifest, before: Manifest | undefined): readonly (readonly [View, string])[] {
  const old = before && viewsOf(before);
  const texts = viewsOf(now);
  const all: readonly View[] = ["head", "config", "refsFolder", "infoRefs", "infoPacks"];
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
