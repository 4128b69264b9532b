import type { Writable } from "node:stream";

/** One JSON document, indented, with a line end. Dates become ISO 8601 texts. */
export function printJson(stdout: Writable, document: object): void {
  stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
}

/** Columns for people. Cells are text from anywhere, so what would move the cursor is made visible. */
export function printTable(stdout: Writable, header: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [header, ...rows.map((row) => row.map(visible))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) {
    const padded = line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    stdout.write(`${padded.join("  ").trimEnd()}\n`);
  }
}

/** UTC to the minute, such as `2026-11-21 07:30`. */
export function formatDate(date: Date): string {
  return date.toISOString().slice(0, 16).replace("T", " ");
}

function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "\u{FFFD}");
}
