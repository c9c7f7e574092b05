/** Token shards: written whole or not at all, found again, refused when they do not fit. */
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fail } from "../ir/index.js";
import { cachedShards, type Document, openShards, type Tokenizer, trainTokenizer, writeShards } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "plinth-shards-"));
afterAll(() => rmSync(folder, { recursive: true }));

const texts = Array.from(
  { length: 3000 },
  (_, i) => `document ${i} speaks of ${i % 7 ? "foxes" : "dogs, and more dogs"}`,
);
async function* documents(): AsyncGenerator<Document> {
  for (const [i, text] of texts.entries()) yield { at: `${i}`, text };
}
let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await trainTokenizer(texts, { kind: "bpe", vocabSize: 320 });
});

test("what is read is what was encoded, document by document", async () => {
  const end = tokenizer.special.eos!;
  const tokens = await writeShards(documents(), { tokenizer, folder: join(folder, "one"), end });
  const expected = await tokenizer.encodeBatch(texts);
  expect(tokens.header).toMatchObject({ documents: 3000, dtype: "u16", bytes: texts.join("").length, unknown: 0 });
  for (const i of [0, 2999, 1234, 7]) {
    const ids = new Int32Array(tokens.offset(i + 1) - tokens.offset(i));
    tokens.read(tokens.offset(i), tokens.offset(i + 1), ids);
    expect([...ids]).toEqual([...expected[i]!, end]);
  }
  expect(tokens.offset(3000)).toBe(tokens.header.tokens);
  tokens.close();
});

test("a document in pieces is one document", async () => {
  async function* pieces(): AsyncGenerator<Document> {
    yield { at: "a", text: "first half", more: true };
    yield { at: "a", text: " second half" };
    yield { at: "b", text: "" };
    yield { at: "c", text: "whole" };
  }
  const tokens = await writeShards(pieces(), { tokenizer, folder: join(folder, "pieces") });
  expect(tokens.header).toMatchObject({ documents: 2, empty: 1 });
  const ids = new Int32Array(tokens.offset(1));
  tokens.read(0, ids.length, ids);
  expect(await tokenizer.decode(ids)).toBe("first half second half");
});

test("large vocabularies take four bytes a token", async () => {
  const wide = { ...tokenizer, vocabSize: 70_000 };
  const tokens = await writeShards(documents(), { tokenizer: wide, folder: join(folder, "wide") });
  const ids = new Int32Array(tokens.offset(1));
  tokens.read(0, ids.length, ids);
  expect(tokens.header.dtype).toBe("u32");
  expect([...ids]).toEqual([...(await tokenizer.encode(texts[0]!))]);
});

test("the same text and tokeniser are encoded once", async () => {
  let read = 0;
  const source = () => {
    read++;
    return documents();
  };
  const o = { tokenizer, cache: join(folder, "cache") };
  const one = await cachedShards(source, { ...o, key: "a" });
  const two = await cachedShards(source, { ...o, key: "a" });
  expect([read, two.folder]).toEqual([1, one.folder]);
  await cachedShards(source, { ...o, key: "b" });
  await cachedShards(source, { ...o, key: "a", end: 0 });
  expect(read).toBe(3);
});

test("an error half way leaves nothing behind, and what was there before stays", async () => {
  const at = join(folder, "kept");
  (await writeShards(documents(), { tokenizer, folder: at })).close();
  async function* broken(): AsyncGenerator<Document> {
    yield* documents();
    throw fail("data", "broken JSON", "mend it", "x.jsonl:7");
  }
  await expect(writeShards(broken(), { tokenizer, folder: at })).rejects.toThrow("broken JSON");
  expect((await openShards(at, tokenizer)).header.documents).toBe(3000);
  expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
});

test("shards of another tokeniser, cut short or absent are refused", async () => {
  const at = join(folder, "bad");
  (await writeShards(documents(), { tokenizer, folder: at })).close();
  const other = await trainTokenizer(texts, { kind: "bpe", vocabSize: 300 });
  const refusal = (path: string, by: Tokenizer) =>
    openShards(path, by).then(
      () => "no error",
      (error: Error) => error.message.replaceAll(folder, ""),
    );
  expect(await refusal(at, other)).toMatchInlineSnapshot(`
    "these token shards were made by another tokeniser
      at /bad
      help: delete the folder: it is written again from the text"
  `);
  truncateSync(join(at, "tokens.bin"), 1000);
  expect(await refusal(at, tokenizer)).toMatch(/cut short: 500 of \d+ tokens/);
  expect(await refusal(join(folder, "none"), tokenizer)).toMatch(/no token shards here/);
  expect(existsSync(at)).toBe(true);
});

test("a folder that cannot be written is a clear error", async () => {
  const blocked = join(folder, "file");
  writeFileSync(blocked, "not a folder");
  await expect(writeShards(documents(), { tokenizer, folder: join(blocked, "shards") })).rejects.toMatchObject({
    code: "disk",
  });
});
