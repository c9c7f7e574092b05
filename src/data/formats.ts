/** One reader per kind of file: rows of named fields, each knowing its line. */
import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { parse as csvParser } from "csv-parse";
import { fail } from "../ir/index.js";
import type { Row } from "./row.js";
import { decoded, lines, readError } from "./text.js";

export interface TextOptions {
  /** What one document of a .txt file is: the whole file, a line, or lines up to a blank one. Default "file". */
  readonly documents?: "file" | "line" | "paragraph";
}

export interface Format {
  readonly extensions: readonly string[];
  readonly summary: string;
  rows(path: string, o: TextOptions): AsyncGenerator<Row>;
}

/** Every kind of file that can be read; each also with .gz or .zst behind it. */
export const formats = {
  text: { extensions: ["txt", "text", "md"], summary: "plain text in UTF-8", rows: textRows },
  jsonl: { extensions: ["jsonl", "ndjson"], summary: "one JSON object a line", rows: jsonRows },
  csv: { extensions: ["csv"], summary: "comma-separated, names in the first line", rows: (path) => csvRows(path, ",") },
  tsv: { extensions: ["tsv"], summary: "tab-separated, names in the first line", rows: (path) => csvRows(path, "\t") },
  parquet: { extensions: ["parquet"], summary: "Apache Parquet", rows: parquetRows },
} satisfies Record<string, Format>;

/** A .txt file as rows with one field, `text`. */
async function* textRows(path: string, o: TextOptions): AsyncGenerator<Row> {
  if (o.documents === "line") {
    for await (const line of lines(path))
      if (line.text.trim()) yield { at: `${path}:${line.number}`, fields: { text: line.text } };
    return;
  }
  if (o.documents === "paragraph") return yield* paragraphs(path);
  let rest = "";
  let line = 1;
  for await (const piece of decoded(path)) {
    const cut = rest.length < pieceLength ? 0 : cutPoint(rest);
    const text = rest.slice(0, cut);
    rest = rest.slice(cut) + piece;
    if (!text) continue;
    yield { at: `${path}:${line}`, fields: { text }, more: true };
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) line++;
  }
  yield { at: `${path}:${line}`, fields: { text: rest } };
}

/** Characters of a text file that are held before it comes in pieces. */
const pieceLength = 1 << 18;

/**
 * Where a long text may be cut without changing its tokens: before white space that follows a word, so that no word and no
 * run of spaces is divided. 0 when there is no such place yet.
 */
function cutPoint(text: string): number {
  for (let i = text.length - 1; i > 0; i--) if (/\s/.test(text[i]!) && !/\s/.test(text[i - 1]!)) return i;
  return text.length > 1 << 22 ? text.length - 1 - Number(/[\udc00-\udfff]/.test(text.at(-1)!)) : 0;
}

async function* paragraphs(path: string): AsyncGenerator<Row> {
  let first = 0;
  let held: string[] = [];
  for await (const line of lines(path)) {
    if (line.text.trim()) {
      if (held.length === 0) first = line.number;
      held.push(line.text);
    } else if (held.length) {
      yield { at: `${path}:${first}`, fields: { text: held.join("\n") } };
      held = [];
    }
  }
  if (held.length) yield { at: `${path}:${first}`, fields: { text: held.join("\n") } };
}

async function* jsonRows(path: string): AsyncGenerator<Row> {
  for await (const line of lines(path)) {
    if (!line.text.trim()) continue;
    const at = `${path}:${line.number}`;
    let value: unknown;
    try {
      value = JSON.parse(line.text);
    } catch (error) {
      throw fail(
        "data",
        `broken JSON: ${(error as Error).message.split(" in JSON")[0]}`,
        "put one whole JSON object on each line",
        at,
      );
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw fail("data", "the line is JSON but not an object", 'write it as {"text": …}', at);
    yield { at, fields: value as Record<string, unknown> };
  }
}

async function* csvRows(path: string, delimiter: string): AsyncGenerator<Row> {
  const parser = csvParser({
    columns: (names: string[]) => distinct(names, path),
    info: true,
    bom: true,
    delimiter,
    skip_empty_lines: true,
    // tab-separated text seldom quotes, so a quote inside it is a quote
    relax_quotes: delimiter === "\t",
  });
  const input = Readable.from(decoded(path));
  const ended = new Promise<Error | undefined>((resolve) =>
    pipeline(input, parser, (error) => resolve(error ?? undefined)),
  );
  let any = false;
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      any = true;
      yield { at: `${path}:${info.lines}`, fields: record };
    }
  } catch (error) {
    throw csvError((await ended) ?? error, path);
  }
  if (!any) throw fail("source", "the table has no rows under its names", "add rows", path);
}

function distinct(names: string[], path: string): string[] {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw fail("data", `two columns are called "${twice}"`, "rename or remove one of them", `${path}:1`);
  return names;
}

function csvError(error: unknown, path: string): unknown {
  const { name, code, message, lines: line } = error as Error & { code?: string; lines?: number };
  if (name === "PlinthError") return error;
  const help =
    code === "CSV_RECORD_INCONSISTENT_COLUMNS"
      ? "give every line as many fields as the first; put text with the separator in double quotes"
      : 'close every double quote, and write a quote inside a text as ""';
  return fail("data", `broken table: ${message}`, help, line === undefined ? path : `${path}:${line}`);
}

const rowsAtOnce = 1024;

async function* parquetRows(path: string): AsyncGenerator<Row> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  if (!path.endsWith(".parquet"))
    throw fail("source", "a Parquet file is compressed inside", "unpack it: remove .gz or .zst", path);
  try {
    for await (const _ of createReadStream(path, { end: 0 })) break;
    const file = await asyncBufferFromFile(path);
    if (file.byteLength === 0) throw fail("source", "the file is empty", "remove it or write it again", path);
    const metadata = await parquetMetadataAsync(file);
    let number = 0;
    for (let rowStart = 0; rowStart < Number(metadata.num_rows); rowStart += rowsAtOnce) {
      const rowEnd = Math.min(rowStart + rowsAtOnce, Number(metadata.num_rows));
      for (const fields of await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd }))
        yield { at: `${path}:${++number}`, fields };
    }
    if (number === 0) throw fail("source", "the table has no rows", "add rows", path);
  } catch (error) {
    const { code, message, name } = error as NodeJS.ErrnoException;
    if (code || name === "PlinthError") throw readError(error, path);
    throw fail("source", `not a Parquet file that can be read: ${message}`, "write it again", path);
  }
}
