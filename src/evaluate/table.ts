/** Tables for a terminal: plain text, aligned. */

/** A table of text; the first column names the row. */
export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}
export interface Column {
  readonly name: string;
  readonly align?: "left" | "right";
}

/** A column of text, or of numbers. */
export const left = (name: string): Column => ({ name });
export const right = (name: string): Column => ({ name, align: "right" });

/** A table as lines of at most `width` columns, where it can be had by breaking the text of the widest column at spaces. */
export function renderTable(table: Table, { width = 100 }: { readonly width?: number } = {}): string {
  const grid = [table.columns.map((c) => c.name), ...table.rows].map((row) => row.map(printable));
  const widths = table.columns.map((_, i) => Math.max(...grid.map((row) => columns(row[i] ?? ""))));
  const spare = width - widths.reduce((a, b) => a + b, 0) - 2 * (widths.length - 1);
  const widest = widths.indexOf(Math.max(...widths));
  if (spare < 0) widths[widest] = Math.max(14, widths[widest]! + spare);
  const lines = (row: readonly string[]) => {
    const cells = table.columns.map((_, i) => wrapped(row[i] ?? "", widths[i]!));
    return Array.from({ length: Math.max(...cells.map((c) => c.length)) }, (_, n) =>
      table.columns
        .map((column, i) => pad(cells[i]![n] ?? "", widths[i]!, column.align ?? "left"))
        .join("  ")
        .trimEnd(),
    );
  };
  const rule = widths.map((w) => "─".repeat(w)).join("  ");
  const [header, ...body] = grid.map(lines);
  const note = table.note ? ["", ...wrapped(table.note, width)] : [];
  return [printable(table.title), "", ...header!, rule, ...body.flat(), ...note].join("\n");
}

/** Text as lines of at most `width` columns, broken at spaces. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of printable(text).split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && columns(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function pad(text: string, width: number, align: "left" | "right"): string {
  const cut = columns(text) > width ? `${take(text, width - 1)}…` : text;
  const fill = " ".repeat(Math.max(0, width - columns(cut)));
  return align === "right" ? fill + cut : cut + fill;
}

function take(text: string, width: number): string {
  let taken = "";
  for (const character of text) {
    if (columns(taken + character) > width) break;
    taken += character;
  }
  return taken;
}

/** Text from data may hold escape sequences: a terminal must not obey them. */
const printable = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll(/[\p{Cc}\p{Cs}]/gu, "\uFFFD");

const wide =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;
/** Columns that text takes on a terminal. */
function columns(text: string): number {
  let n = 0;
  for (const character of text) n += /\p{Mn}|\u200D|\uFE0F/u.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return n;
}
