/** Where text and examples come from: files, folders and globs of them, and the corpora that travel with plinth. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { glob, isDynamicPattern } from "tinyglobby";
import { fail, nearest } from "../ir/index.js";
import { column } from "./columns.js";
import { type Format, formats, type TextOptions } from "./formats.js";
import type { Document, Row } from "./row.js";
import { readError } from "./text.js";
import { type Split, type WordnetDocument, wordnetCategories, wordnetDocuments } from "./wordnet.js";

export interface SourceOptions extends TextOptions {
  /** Column of the text in tables and JSON lines. Default "text". */
  readonly text?: string;
  /** Which part of a built-in source; its rows say which they are of. Default "train". */
  readonly split?: Split | "every";
}

const named: Record<string, { summary: string; rows(o: SourceOptions): AsyncGenerator<Row> }> = {
  "wordnet:definitions": {
    summary: "definitions and examples of WordNet 3.1, one document a meaning",
    rows: (o) => asRows(wordnetDocuments({ split: o.split ?? "train" })),
  },
  "wordnet:words": {
    summary: "the same with the words in front of their definition",
    rows: (o) => asRows(wordnetDocuments({ split: o.split ?? "train", withWords: true })),
  },
  "wordnet:categories": {
    summary: "definitions of WordNet's nouns, labelled with one of 26 categories",
    rows: (o) => wordnetCategories({ split: o.split ?? "train" }),
  },
};

async function* asRows(documents: AsyncIterable<WordnetDocument>): AsyncGenerator<Row> {
  for await (const { at, text, split } of documents) yield { at, fields: { text }, split };
}

/** The built-in sources: a name for `--data`, and what it is. */
export const builtIn: readonly { readonly name: string; readonly summary: string }[] = Object.entries(named).map(
  ([name, { summary }]) => ({ name, summary }),
);

const extensionOf = new Map(
  Object.values(formats).flatMap((format: Format) =>
    format.extensions.map((extension) => [extension, format] as const),
  ),
);
const patternOfAll = `**/*.{${[...extensionOf.keys()].join(",")}}`;
const unpacked = (path: string) => path.replace(/\.(gz|zst)$/, "");

function formatOf(path: string): Format {
  const extension = /\.([^./\\]+)$/.exec(unpacked(path))?.[1]?.toLowerCase() ?? "";
  const format = extensionOf.get(extension);
  if (format) return format;
  const all = [...extensionOf.keys()];
  const close = extension && nearest(extension, all);
  throw fail(
    "source",
    extension
      ? `files that end in .${extension} cannot be read as data`
      : "the file has no ending that says what it is",
    `use one of ${all.map((name) => `.${name}`).join(" ")}, also with .gz or .zst${close ? `; did you mean .${close}?` : ""}`,
    path,
  );
}

/**
 * The files that a path, a folder or a glob names, in alphabetical order. Throws "source" when there is none, or one cannot be
 * read, so that a run stops before it starts.
 */
export async function files(source: string): Promise<string[]> {
  const there = await stat(source).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw readError(error, source);
    return undefined;
  });
  let found: string[];
  if (there?.isDirectory()) {
    const cwd = source.replace(/[\\/]+$/, "");
    const ending = [patternOfAll, `${patternOfAll}.gz`, `${patternOfAll}.zst`];
    found = (await glob(ending, { cwd, onlyFiles: true })).map((name) => `${cwd}/${name}`);
    if (!found.length)
      throw fail(
        "source",
        "the folder has no data files",
        `they end in .${[...extensionOf.keys()].join(" .")}`,
        source,
      );
  } else if (there) found = [source];
  else if (isDynamicPattern(source)) {
    found = await glob(source, { onlyFiles: true, expandDirectories: false, absolute: source.startsWith("/") });
    if (!found.length)
      throw fail("source", "no file matches this pattern", "put it in quotes, so that it is not expanded", source);
  } else throw await missing(source);
  for (const path of found) {
    formatOf(path);
    await access(path, constants.R_OK).catch((error) => {
      throw readError(error, path);
    });
  }
  return found.sort();
}

async function missing(source: string) {
  if (/^[a-z]+:[a-z]*$/.test(source)) {
    const names = builtIn.map((one) => one.name);
    const close = nearest(source, names);
    const help = `the built-in sources are ${names.join(", ")}${close ? `; did you mean ${close}?` : ""}`;
    return fail("source", `there is no source called ${source}`, help);
  }
  const folder = source.includes("/") ? source.slice(0, source.lastIndexOf("/")) : ".";
  const beside = await glob("*", { cwd: folder || "/", onlyFiles: false }).catch(() => []);
  const close = nearest(source.slice(source.lastIndexOf("/") + 1), beside);
  return fail("source", "there is no such file or folder", close ? `did you mean ${close}?` : "check the path", source);
}

/** Rows of a source, file after file, line after line; memory does not grow with them. Throws "source" or "data". */
export async function* rows(source: string | readonly string[], o: SourceOptions = {}): AsyncGenerator<Row> {
  for (const one of [source].flat())
    if (named[one]) yield* named[one].rows(o);
    else for (const path of await files(one)) yield* formatOf(path).rows(path, o);
}

/** Texts of a source as documents. A long .txt file comes in pieces (see `Document.more`). Throws "source" or "data". */
export async function* documents(source: string | readonly string[], o: SourceOptions = {}): AsyncGenerator<Document> {
  for await (const row of rows(source, o)) {
    const text = column(row, o.text ?? "text");
    if (typeof text !== "string")
      throw fail(
        "data",
        `the column "${o.text ?? "text"}" holds ${typeof text}, not text`,
        "choose another column",
        row.at,
      );
    yield { at: row.at, text, ...(row.more && { more: true }) };
  }
}

/** What a source is made of, to find work already done on it: names, sizes and times of its files. */
export async function fingerprint(source: string | readonly string[], o: SourceOptions = {}): Promise<string> {
  const parts: unknown[] = [o];
  for (const one of [source].flat())
    if (named[one]) parts.push(one, "WordNet 3.1, split 1");
    else
      for (const path of await files(one)) {
        const { size, mtimeMs } = await stat(path);
        parts.push([path, size, mtimeMs]);
      }
  return JSON.stringify(parts);
}
