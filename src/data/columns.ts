/** Columns by name, and the nearest name when there is none. */
import { distance } from "fastest-levenshtein";
import { fail } from "../ir/index.js";
import type { Row } from "./row.js";

/** The name most like `wanted`, if one is close: at most a third of its letters differ, or case alone. */
export function nearest(wanted: string, names: readonly string[]): string | undefined {
  const scored = names.map((name) => [distance(wanted.toLowerCase(), name.toLowerCase()), name] as const);
  const [best] = scored.sort(([a], [b]) => a - b);
  return best && best[0] <= Math.max(1, Math.ceil(wanted.length / 3)) ? best[1] : undefined;
}

/** A row's value in a column. Throws "data" with the columns there are when the row has no such column. */
export function column(row: Row, name: string): unknown {
  const value = row.fields[name];
  if (value !== undefined && value !== null) return value;
  const names = Object.keys(row.fields);
  if (names.includes(name)) return "";
  const close = nearest(name, names);
  throw fail(
    "data",
    `there is no column "${name}"`,
    `the columns are ${names.join(", ") || "none"}${close ? `; did you mean "${close}"?` : ""}`,
    row.at,
  );
}
