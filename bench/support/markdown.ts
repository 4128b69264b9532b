export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  /** Aligned to the right, as numbers are. */
  readonly right?: boolean;
}

/** A table in GitHub's Markdown, without a line end after it. */
export function markdownTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [
    line(columns.map(({ title }) => title)),
    `|${columns.map(({ right }) => (right === true ? "---:" : "---")).join("|")}|`,
    ...rows.map((row) => line(columns.map(({ cell }) => cell(row)))),
  ].join("\n");
}

/**
 * The page with what stands between `<!-- NAME -->` and `<!-- /NAME -->` replaced.
 * @throws Error unless the page has both, once each and in this order
 */
export function replaceBetweenMarkers(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, after, ...more] = page.split(begin);
  const [inside, rest, ...others] = (after ?? "").split(end);
  if (before === undefined || inside === undefined || rest === undefined || more.length > 0 || others.length > 0) {
    throw new Error(`the page needs ${begin} and ${end} once each, in this order`);
  }
  return `${before}${begin}\n${text}\n${end}${rest}`;
}
