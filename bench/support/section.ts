import type { Bench, Findings } from "./bench.ts";
import { markdownTable } from "./markdown.ts";

const SHOWN_CHARACTERS = 200;

/**
 * What the page says about one load.
 * @param leftOut why servers took no part, by their names
 * @param footnote when and where it was measured
 */
export function section(
  bench: Bench,
  { aims, tables }: Findings,
  { leftOut, footnote }: { leftOut: ReadonlyMap<string, string>; footnote: string },
): string {
  const outcomes = markdownTable(aims, [
    { title: "aim", cell: ({ aim }) => aim },
    { title: "reached", cell: ({ reached }) => reached, right: true },
    { title: "", cell: ({ met }) => (met ? "met" : "**not met**") },
  ]);
  const absent = Array.from(leftOut, ([name, reason]) => {
    const line = reason.trim().replaceAll(/\s+/g, " ").slice(0, SHOWN_CHARACTERS);
    return `${name} could not take part: \`${line.replaceAll("`", "'")}\``;
  });
  return [`## ${bench.title}`, bench.about, outcomes, ...tables, ...absent, `<sub>${footnote}</sub>`].join("\n\n");
}
