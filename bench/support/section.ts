import type { Bench, Findings } from "./bench.ts";
import { markdownTable } from "./markdown.ts";

/** What the page says about one load. @param footnote when and where it was measured */
export function section(bench: Bench, { aims, tables }: Findings, footnote: string): string {
  const outcomes = markdownTable(aims, [
    { title: "aim", cell: ({ aim }) => aim },
    { title: "reached", cell: ({ reached }) => reached, right: true },
    { title: "", cell: ({ met }) => (met ? "met" : "**not met**") },
  ]);
  return [`## ${bench.title}`, bench.about, outcomes, ...tables, `<sub>${footnote}</sub>`].join("\n\n");
}
