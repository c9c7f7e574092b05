/** Sources: every kind of file, and every way in which one can be bad. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { PlinthError } from "../ir/index.js";
import { documents, files, fingerprint, rows, type SourceOptions } from "./index.js";
import { readError } from "./text.js";

const folder = mkdtempSync(join(tmpdir(), "plinth-sources-"));
afterAll(() => rmSync(folder, { recursive: true }));
const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function all<T>(xs: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const x of xs) out.push(x);
  return out;
}

const texts = async (source: string | string[], o?: SourceOptions) =>
  (await all(documents(source, o))).map((d) => d.text);

/** The error of reading a source, with the temporary folder's name taken out. */
async function refusal(source: string, o?: SourceOptions): Promise<string> {
  const error = await all(documents(source, o)).then(
    () => undefined,
    (error: PlinthError) => error,
  );
  expect(error, "an error was expected").toBeDefined();
  expect(error!.name, error!.stack).toBe("PlinthError");
  return `${error!.code}: ${error!.message.replaceAll(folder, "").replaceAll(fixtures, "")}`;
}

test("a text file is one document, or one a line, or one a paragraph", async () => {
  const path = put("poem.txt", "one\r\ntwo\n\nthree\nfour");
  expect(await texts(path)).toEqual(["one\r\ntwo\n\nthree\nfour"]);
  expect(await texts(path, { documents: "line" })).toEqual(["one", "two", "three", "four"]);
  expect(await all(documents(path, { documents: "paragraph" }))).toEqual([
    { at: `${path}:1`, text: "one\ntwo" },
    { at: `${path}:4`, text: "three\nfour" },
  ]);
});

test("a long text file comes in pieces that add up to it, cut only between words", async () => {
  const content = Array.from({ length: 150_000 }, (_, i) => `wörd${i}${i % 10 ? " " : "\n\n"}`).join("");
  const pieces = await all(documents(put("long.txt", content)));
  expect(pieces.length).toBeGreaterThan(2);
  expect(pieces.map((piece) => piece.text).join("")).toBe(content);
  expect(pieces.map((piece) => piece.more ?? false)).toEqual(pieces.map((_, i) => i < pieces.length - 1));
  for (const piece of pieces.slice(1)) expect(piece.text).toMatch(/^\s/);
  for (const piece of pieces.slice(0, -1)) expect(piece.text).toMatch(/\S$/);
});

test("rows know their file and line", async () => {
  const jsonl = put("rows.jsonl", '{"text": "a", "label": 1}\n\n{"text": "b\\nc", "label": 2}\n');
  expect(await all(rows(jsonl))).toEqual([
    { at: `${jsonl}:1`, fields: { text: "a", label: 1 } },
    { at: `${jsonl}:3`, fields: { text: "b\nc", label: 2 } },
  ]);
  const csv = put("rows.csv", '\ufefftext,label\n"a, ""b""",x\n"two\nlines",y\nlast,z\n');
  expect(await all(rows(csv))).toMatchObject([
    { at: `${csv}:2`, fields: { text: 'a, "b"', label: "x" } },
    { fields: { text: "two\nlines", label: "y" } },
    { at: `${csv}:5`, fields: { text: "last", label: "z" } },
  ]);
  expect(await texts(put("rows.tsv", 'body\tlabel\nit\'s, "so"\tx\n'.replaceAll('"', "")), { text: "body" })).toEqual([
    "it's, so",
  ]);
});

test("blank lines of a table are no rows, and a quote inside tab-separated text is a quote", async () => {
  expect(await texts(put("blank.csv", "text,label\na,b\n\nc,d\n\n"))).toEqual(["a", "c"]);
  expect(await texts(put("said.tsv", 'text\tlabel\nshe said "so" and left\tx\n'))).toEqual(['she said "so" and left']);
});

test("compressed files read as what they hold", async () => {
  const text = '{"text": "packed"}\n'.repeat(3);
  expect(await texts(put("a.jsonl.gz", gzipSync(text)))).toHaveLength(3);
  const notes = await all(rows(join(fixtures, "notes.jsonl.zst")));
  expect(notes).toHaveLength(2000);
  expect(notes.at(-1)?.fields).toEqual({ text: "note 1999: again and ", n: 1999 });
});

test.each(["snappy", "zstd", "gzip", "none"])("Parquet written with codec %s by Arrow reads back", async (codec) => {
  const found = await all(rows(join(fixtures, `table-${codec}.parquet`)));
  expect(found).toHaveLength(3000);
  expect(found[2800]).toMatchObject({ fields: { text: "row 2800 says été hello", label: "class 1" } });
  expect(found[2800]!.at).toMatch(/:2801$/);
});

test("a folder or a pattern is its files in alphabetical order", async () => {
  put("corpus/b.txt", "b");
  put("corpus/deep/c.txt.gz", gzipSync("c"));
  put("corpus/a.jsonl", '{"text": "a"}');
  put("corpus/picture.png", "not read");
  expect(await texts(join(folder, "corpus"))).toEqual(["a", "b", "c"]);
  expect(await texts(join(folder, "corpus/**/*.txt*"))).toEqual(["b", "c"]);
  expect(await files(join(folder, "corpus/"))).toHaveLength(3);
  expect(await texts([join(folder, "corpus/b.txt"), join(folder, "corpus/a.jsonl")])).toEqual(["b", "a"]);
});

test("a fingerprint changes with a file's content and not with asking again", async () => {
  const path = put("print.txt", "one");
  const before = await fingerprint(path);
  expect(await fingerprint(path)).toBe(before);
  put("print.txt", "three");
  expect(await fingerprint(path)).not.toBe(before);
});

describe("bad input", () => {
  test("missing files, folders, patterns and sources", async () => {
    put("near/train.jsonl", "{}");
    expect(await refusal(join(folder, "near/trian.jsonl"))).toMatchInlineSnapshot(`
      "source: there is no such file or folder
        at /near/trian.jsonl
        help: did you mean train.jsonl?"
    `);
    expect(await refusal(join(folder, "none*.txt"))).toMatchInlineSnapshot(`
      "source: no file matches this pattern
        at /none*.txt
        help: put it in quotes, so that it is not expanded"
    `);
    expect(await refusal("wordnet:definition")).toMatchInlineSnapshot(`
      "source: there is no source called wordnet:definition
        help: the built-in sources are wordnet:definitions, wordnet:words, wordnet:categories; did you mean wordnet:definitions?"
    `);
    put("bare/picture.png", "x");
    expect(await refusal(join(folder, "bare"))).toMatchInlineSnapshot(`
      "source: the folder has no data files
        at /bare
        help: they end in .txt .text .md .jsonl .ndjson .csv .tsv .parquet"
    `);
  });

  test("unknown endings", async () => {
    expect(await refusal(put("a.jsnl", "{}"))).toMatchInlineSnapshot(`
      "source: files that end in .jsnl cannot be read as data
        at /a.jsnl
        help: use one of .txt .text .md .jsonl .ndjson .csv .tsv .parquet, also with .gz or .zst; did you mean .jsonl?"
    `);
    expect(await refusal(put("noending", "x"))).toMatchInlineSnapshot(`
      "source: the file has no ending that says what it is
        at /noending
        help: use one of .txt .text .md .jsonl .ndjson .csv .tsv .parquet, also with .gz or .zst"
    `);
  });

  test("empty files", async () => {
    expect(await refusal(put("empty.txt", ""))).toMatchInlineSnapshot(`
      "source: the file is empty
        at /empty.txt
        help: remove it or put text into it"
    `);
    expect(await refusal(put("empty.jsonl.gz", gzipSync("")))).toMatch(/the file is empty/);
    expect(await refusal(put("names.csv", "text,label\n"))).toMatchInlineSnapshot(`
      "source: the table has no rows under its names
        at /names.csv
        help: add rows"
    `);
    expect(await refusal(put("empty.parquet", ""))).toMatch(/the file is empty/);
  });

  test("files without permission", () => {
    const error = readError(Object.assign(new Error("EACCES"), { code: "EACCES" }), "locked.txt") as PlinthError;
    expect(error.message).toMatchInlineSnapshot(`
      "no permission to read this file
        at locked.txt
        help: change its permissions (chmod +r)"
    `);
  });

  test("binary files, by what they hold", async () => {
    expect(await refusal(put("zip.txt", Buffer.from("PK\x03\x04zip")))).toMatchInlineSnapshot(`
      "source: the file is not text: it holds a zip archive
        at /zip.txt
        help: give a text file in UTF-8"
    `);
    expect(await refusal(put("packed.jsonl", gzipSync("{}")))).toMatchInlineSnapshot(`
      "source: the file is not text: it holds gzip data
        at /packed.jsonl
        help: rename it to end in .gz"
    `);
    expect(await refusal(put("wide.csv", Buffer.from("\ufefftext", "utf16le")))).toMatchInlineSnapshot(`
      "source: the file is not text: it holds UTF-16 text
        at /wide.csv
        help: save it as UTF-8 (iconv -f utf-16 -t utf-8)"
    `);
    expect(await refusal(put("zero.txt", "a\nb\0c"))).toMatchInlineSnapshot(`
      "source: the file is not text: it holds zero bytes
        at /zero.txt
        help: give a text file in UTF-8"
    `);
    expect(await refusal(put("late.txt", `${"line\n".repeat(100_000)}\0`))).toMatchInlineSnapshot(`
      "source: the file is not text: it holds a zero byte in line 100001
        at /late.txt
        help: give a text file in UTF-8"
    `);
  });

  test("invalid UTF-8 names the byte and the line, also across reads and at the end", async () => {
    const latin = Buffer.concat([Buffer.from("first\nsecond caf"), Buffer.from([0xe9]), Buffer.from(" au lait\n")]);
    expect(await refusal(put("latin.txt", latin))).toMatchInlineSnapshot(`
      "source: not valid UTF-8 at byte 16 (e9 20)
        at /latin.txt:2
        help: save it as UTF-8, for example: iconv -f latin1 -t utf-8"
    `);
    const long = Buffer.concat([Buffer.from("ab\n".repeat(200_000)), Buffer.from([0xff])]);
    expect(await refusal(put("late.jsonl", long))).toMatch(/broken JSON|byte 600000 .*\n.*late.jsonl:200001/);
    expect(await refusal(put("long.txt", long))).toMatchInlineSnapshot(`
      "source: not valid UTF-8 at byte 600000 (ff)
        at /long.txt:200001
        help: save it as UTF-8, for example: iconv -f latin1 -t utf-8"
    `);
    expect(await refusal(put("cut.txt", Buffer.from("caf\u00e9").subarray(0, 4)))).toMatchInlineSnapshot(`
      "source: not valid UTF-8 at byte 3 (c3)
        at /cut.txt:1
        help: save it as UTF-8, for example: iconv -f latin1 -t utf-8"
    `);
    const whole = "é€😀".repeat(50_000);
    expect((await texts(put("wide.txt", `a${whole}`))).join("")).toBe(`a${whole}`);
  });

  test("broken JSON lines and tables", async () => {
    expect(await refusal(put("broken.jsonl", '{"text": "a"}\n{"text": "b"\n'))).toMatchInlineSnapshot(`
      "data: broken JSON: Expected ',' or '}' after property value
        at /broken.jsonl:2
        help: put one whole JSON object on each line"
    `);
    expect(await refusal(put("list.jsonl", '["a"]\n'))).toMatchInlineSnapshot(`
      "data: the line is JSON but not an object
        at /list.jsonl:1
        help: write it as {"text": …}"
    `);
    expect(await refusal(put("ragged.csv", "text,label\na,b\nc,d,e\n"))).toMatchInlineSnapshot(`
      "data: broken table: Invalid Record Length: columns length is 2, got 3 on line 3
        at /ragged.csv:3
        help: give every line as many fields as the first; put text with the separator in double quotes"
    `);
    expect(await refusal(put("quote.csv", 'text,label\n"a,b\nc,d\n'))).toMatchInlineSnapshot(`
      "data: broken table: Quote Not Closed: the parsing is finished with an opening quote at line 3
        at /quote.csv:3
        help: close every double quote, and write a quote inside a text as """
    `);
    expect(await refusal(put("twice.csv", "text,label,text\na,b,c\n"))).toMatchInlineSnapshot(`
      "data: two columns are called "text"
        at /twice.csv:1
        help: rename or remove one of them"
    `);
    expect(await refusal(put("bad.parquet", "PAR1 and then nothing"))).toMatchInlineSnapshot(`
      "source: not a Parquet file that can be read: parquet file invalid (footer != PAR1)
        at /bad.parquet
        help: write it again"
    `);
  });

  test("damaged compressed files", async () => {
    const packed = gzipSync("text ".repeat(1000));
    expect(await refusal(put("cut.txt.gz", packed.subarray(0, packed.length - 12)))).toMatchInlineSnapshot(`
      "source: the compressed file is damaged: unexpected end of file
        at /cut.txt.gz
        help: fetch or compress it again"
    `);
    expect(await refusal(put("not.txt.gz", "plain"))).toMatchInlineSnapshot(`
      "source: the compressed file is damaged: incorrect header check
        at /not.txt.gz
        help: fetch or compress it again"
    `);
    expect(await refusal(put("not.txt.zst", "plain"))).toMatchInlineSnapshot(`
      "source: the compressed file is damaged: invalid zstd data
        at /not.txt.zst
        help: fetch or compress it again"
    `);
  });

  test("missing columns, with the nearest", async () => {
    const path = put("columns.jsonl", '{"texts": "a", "label": "b"}\n');
    expect(await refusal(path)).toMatchInlineSnapshot(`
      "data: there is no column "text"
        at /columns.jsonl:1
        help: the columns are texts, label; did you mean "texts"?"
    `);
    expect(await refusal(path, { text: "Label" })).toMatch(/did you mean "label"/);
    expect(await refusal(put("number.jsonl", '{"text": 5}\n'))).toMatchInlineSnapshot(`
      "data: the column "text" holds number, not text
        at /number.jsonl:1
        help: choose another column"
    `);
  });
});
