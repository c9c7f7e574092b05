/** Markdown pieces that the reference pages are made of. */

/** Text that may stand in a table cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** A table with a header. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

export const code = (text: string): string => `\`${text}\``;

export const join = (...parts: readonly string[]): string => parts.filter(Boolean).join("\n\n");
