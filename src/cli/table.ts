import type { ChalkInstance } from "chalk";
import { printable } from "./terminal.ts";

/** A column's heading; one that ends in a number is aligned to the right. */
export interface Column {
  readonly heading: string;
  readonly right?: boolean;
}

/**
 * Rows in aligned columns, indented by two, headings dimmed; a column without any text is left out. No rows, no lines.
 * Cells may come from untrusted files.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: ChalkInstance,
): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) => row.map(printable));
  const used = columns
    .map(({ heading, right }, i) => ({
      i,
      heading,
      right,
      text: most(cells.map((row) => row[i]?.length ?? 0)),
    }))
    .filter(({ text }) => text > 0);
  const line = (row: readonly string[]): string =>
    used
      .map(({ i, heading, right, text }) => {
        const width = Math.max(text, heading.length);
        return right ? row[i]?.padStart(width) : row[i]?.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const headings = line(columns.map(({ heading }) => heading));
  return [`  ${style.dim(headings)}`, ...cells.map((row) => `  ${line(row)}`)];
}

/** `Math.max(...values)` has no place for the names of a large model. */
export const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
