/** Columns by name. */
import { fail, nearest } from "../ir/index.js";
import type { Row } from "./row.js";

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
