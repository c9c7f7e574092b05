/** Tokenisers: learnt ones, public ones, and that both are the standard. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { tokenizerJson } from "../../test/sentencepiece.js";
import { shared } from "../../test/shared.js";
import { frameOf } from "./classification.js";
import { loadTokenizer, type Tokenizer, tokenizerKinds, trainTokenizer } from "./index.js";
import { byteLetters, byteMerges } from "./vocabulary.js";

const folder = mkdtempSync(join(tmpdir(), "plinth-tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));

const text = [
  "The quick brown fox jumps over the lazy dog, and the dog does not mind.",
  "A naïve café owner sold 12 coffees to 7 foxes; the foxes' dog paid.\n\n  Indented line.",
  "Übergröße 日本語 😀 the end.",
];
const corpus = Array.from({ length: 20 }, () => text).flat();
const pieces = (tokenizer: Tokenizer, ids: Int32Array) => Array.from(ids, (id) => tokenizer.token(id));
const unpack = (path: string) => gunzipSync(readFileSync(path)).toString("utf8");

test("a byte-level tokeniser gives back every text, also of characters it never saw", async () => {
  const tokenizer = await trainTokenizer(corpus, { kind: "bpe", vocabSize: 400 });
  expect(tokenizer.vocabSize).toBeLessThanOrEqual(400);
  expect(tokenizer.special).toEqual({ bos: 0, eos: 0 });
  for (const one of [...text, "Ω≈ç√ 完全", "\t\r\n  ", "a\u0000b"]) {
    const ids = await tokenizer.encode(one);
    expect(await tokenizer.decode(ids)).toBe(one);
  }
  expect((await tokenizer.encode("the quick brown fox")).length).toBeLessThan(10);
});

test("a BERT tokeniser lower-cases, keeps punctuation apart and has its special tokens first", async () => {
  for (const kind of ["wordpiece", "words"] as const) {
    const tokenizer = await trainTokenizer(corpus, { kind, vocabSize: 300 });
    expect(tokenizer.special).toEqual({ pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });
    expect(pieces(tokenizer, await tokenizer.encode("The FOX, naïve!"))).toEqual(["the", "fox", ",", "naive", "[UNK]"]);
  }
});

test("whole words are known by their pieces", async () => {
  const tokenizer = await trainTokenizer(corpus, { kind: "wordpiece", vocabSize: 60 });
  const ids = await tokenizer.encode("the dogs");
  expect(ids.length).toBeGreaterThan(2);
  expect(pieces(tokenizer, ids).map((piece) => (piece!.startsWith("##") ? 0 : 1))).toEqual(
    Array.from(ids, (id) => tokenizer.startsWord[id]),
  );
  const bytes = await trainTokenizer(corpus, { kind: "bpe", vocabSize: 300 });
  const starts = Array.from(await bytes.encode("a dog, jumps"), (id) => [bytes.token(id), bytes.startsWord[id]]);
  for (const [piece, start] of starts) expect([piece, start]).toEqual([piece, /^[Ġ,]/.test(String(piece)) ? 1 : 0]);
});

test("characters are one token each, and none is lost silently", async () => {
  const tokenizer = await trainTokenizer(["hello\n", "world"], { kind: "characters", vocabSize: 100 });
  expect(tokenizer.vocabSize).toBe(2 + 8);
  const ids = await tokenizer.encode("how\nzed");
  expect(pieces(tokenizer, ids)).toEqual(["h", "o", "w", "\n", "<unk>", "e", "d"]);
  expect(await tokenizer.decode(await tokenizer.encode("hello world".replace(" ", "\n")))).toBe("hello\nworld");
});

test("learning depends on what the text says, not on how it comes", async () => {
  for (const kind of tokenizerKinds) {
    async function* reversed() {
      yield* [...corpus].reverse();
    }
    const one = await trainTokenizer(corpus, { kind, vocabSize: 350 });
    const other = await trainTokenizer(reversed(), { kind, vocabSize: 350 });
    expect(other.hash, kind).toBe(one.hash);
  }
});

test("a saved tokeniser loads as the same one", async () => {
  for (const kind of tokenizerKinds) {
    const tokenizer = await trainTokenizer(corpus, { kind, vocabSize: 350 });
    await tokenizer.save(join(folder, kind));
    const again = await loadTokenizer(join(folder, kind));
    expect(again.hash).toBe(tokenizer.hash);
    expect(await again.encodeBatch(text)).toEqual(await tokenizer.encodeBatch(text));
  }
});

test("what a folder calls the ends of a text is not taken for the first and last token of a BERT's", async () => {
  const tokenizer = await trainTokenizer(corpus, { kind: "bpe", vocabSize: 400 });
  const [first, second] = [tokenizer.vocabSize, tokenizer.vocabSize + 1];
  const added = [
    { ...tokenizer.json.added_tokens[0]!, id: first, content: "<s>" },
    { ...tokenizer.json.added_tokens[0]!, id: second, content: "</s>" },
  ];
  const specialIn = async (name: string, settings: object) => {
    await tokenizer.save(join(folder, name));
    const json = { ...tokenizer.json, added_tokens: [...tokenizer.json.added_tokens, ...added] };
    writeFileSync(join(folder, name, "tokenizer.json"), JSON.stringify(json));
    writeFileSync(join(folder, name, "tokenizer_config.json"), JSON.stringify(settings));
    return (await loadTokenizer(join(folder, name))).special;
  };
  const ends = { bos_token: "<s>", eos_token: "</s>" };
  expect(await specialIn("llama", ends)).toEqual({ bos: first, eos: second });
  const roberta = { ...ends, cls_token: "<s>", sep_token: "</s>" };
  expect(await specialIn("roberta", roberta)).toEqual({ bos: first, eos: second, cls: first, sep: second });
});

test("what a tokenizer.json puts around a text is what classifiers and vectors read around it", async () => {
  const tokenizer = await trainTokenizer(corpus, { kind: "bpe", vocabSize: 400 });
  expect([tokenizer.frame, frameOf(tokenizer)]).toEqual([undefined, { before: [0], after: [] }]);
  const content = tokenizer.json.added_tokens[0]!.content;
  const special_tokens = { [content]: { id: content, ids: [0], tokens: [content] } };
  const single = [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: content, type_id: 0 } }];
  const post_processor = { type: "TemplateProcessing", single, pair: single, special_tokens };
  const path = join(folder, "ending.json");
  writeFileSync(path, JSON.stringify({ ...tokenizer.json, post_processor }));
  expect(frameOf(await loadTokenizer(path))).toEqual({ before: [], after: [0] });
});

test("cutting and padding inside a tokenizer.json are not obeyed: both are silent", async () => {
  const tokenizer = await trainTokenizer(corpus, { kind: "wordpiece", vocabSize: 300 });
  const truncation = { direction: "Right", max_length: 3, strategy: "LongestFirst", stride: 0 };
  const padding = {
    strategy: { Fixed: 50 },
    direction: "Right",
    pad_to_multiple_of: null,
    pad_id: 0,
    pad_type_id: 0,
    pad_token: "[PAD]",
  };
  const path = join(folder, "cutting.json");
  writeFileSync(path, JSON.stringify({ ...tokenizer.json, truncation, padding }));
  expect(await (await loadTokenizer(path)).encode(text[0]!)).toEqual(await tokenizer.encode(text[0]!));
});

test("bad tokenisers are refused by name", async () => {
  const put = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const refusal = (path: string) =>
    loadTokenizer(path).then(
      () => "no error",
      (error: Error) => error.message.replaceAll(folder, ""),
    );
  expect(await refusal(join(folder, "absent"))).toMatchInlineSnapshot(`
    "there is no tokeniser at /absent
      help: give a tokenizer.json or a folder with one"
  `);
  expect(await refusal(put("list.json", "[1, 2]"))).toMatchInlineSnapshot(`
    "this is not a tokenizer.json: it has no model
      at /list.json
      help: save it with a tokenizers library"
  `);
  expect(await refusal(put("broken.json", "{"))).toMatch(/not valid JSON/);
  expect(await refusal(put("kind.json", '{"model": {"type": "Magic", "vocab": {}}}'))).toMatch(/not a tokeniser/);
  expect(await refusal(tmpdir())).toMatch(/has no tokeniser/);
  const { json } = await trainTokenizer(corpus, { kind: "bpe", vocabSize: 300 });
  for (const map of ["", "AAAA", "/////w=="]) {
    const normalizer = { type: "Sequence", normalizers: [{ type: "Precompiled", precompiled_charsmap: map }] };
    const path = put("map.json", JSON.stringify({ ...json, normalizer }));
    expect(await refusal(path)).toMatch(/^its precompiled_charsmap is damaged\n/);
  }
  await expect(trainTokenizer([], { kind: "bpe", vocabSize: 300 })).rejects.toThrow(/no text to learn/);
  await expect(trainTokenizer(corpus, { kind: "bpe", vocabSize: 100 })).rejects.toThrow(/too small/);
});

const fixtures = shared("conformance_tokenizers");
const public_ = shared("tokenizers");

test.skipIf(!fixtures)("byte-pair merges are those of the CS336 reference, tie for tie", () => {
  const corpus = unpack(`${fixtures}/cs336/corpus.en.gz`);
  const words = new Map<string, number>();
  const pattern = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
  for (const [word] of corpus.replaceAll("<|endoftext|>", "").matchAll(pattern))
    words.set(word, (words.get(word) ?? 0) + 1);
  const printed = (piece: string) => Array.from(piece, (c) => byteLetters[c.charCodeAt(0)]).join("");
  const { merges } = byteMerges(words, 499, 1);
  const expected = unpack(`${fixtures}/cs336/train-bpe-reference-merges.txt.gz`).trimEnd().split("\n");
  expect(merges.map((pair) => pair.map(printed).join(" "))).toEqual(expected);
});

test.skipIf(!fixtures || !public_)("public BERT and GPT-2 vocabularies encode as their peers do", async () => {
  const vectors = unpack(`${fixtures}/vectors.jsonl.gz`).trimEnd().split("\n");
  const bert = await unpacked("bert", { "tokenizer.json": "bert/tokenizer.json.gz" });
  const words = await unpacked("bert-words", { "vocab.txt": "bert/vocab.txt.gz" });
  const gpt = await unpacked("gpt2", { "vocab.json": "gpt2/encoder.json.gz", "merges.txt": "gpt2/vocab.bpe.gz" });
  expect([bert.vocabSize, words.vocabSize, gpt.vocabSize]).toEqual([30522, 30522, 50257]);
  for (const line of vectors) {
    const vector = JSON.parse(line) as { text: string; bert_ids: number[]; gpt2_ids: number[]; gpt2_decoded: string };
    const inner = vector.bert_ids.slice(1, -1);
    expect([...(await bert.encode(vector.text))], vector.text).toEqual(inner);
    expect([...(await words.encode(vector.text))], vector.text).toEqual(inner);
    // the vectors treat <|endoftext|> as ordinary text; in a tokenizer.json it is a token
    if (vector.text.includes("<|endoftext|>")) continue;
    expect([...(await gpt.encode(vector.text))], vector.text).toEqual(vector.gpt2_ids);
    expect(await gpt.decode(vector.gpt2_ids)).toBe(vector.gpt2_decoded);
  }
});

test.skipIf(!fixtures || !public_)("BERT's special tokens stand around a text where they are asked for", async () => {
  const bert = await unpacked("bert-around", { "tokenizer.json": "bert/tokenizer.json.gz" });
  for (const line of unpack(`${fixtures}/vectors.jsonl.gz`).trimEnd().split("\n")) {
    const { text, bert_ids } = JSON.parse(line) as { text: string; bert_ids: number[] };
    expect([...(await bert.encode(text, { specials: true }))], text).toEqual(bert_ids);
  }
});

test.skipIf(!fixtures || !public_)(
  "SentencePiece models encode as their peer does, Unigram and byte-pair merges",
  async () => {
    const load = async (model: string, kind: "unigram" | "bpe") => {
      const path = join(folder, `${model}.json`);
      writeFileSync(path, JSON.stringify(tokenizerJson(`${public_}/sentencepiece/${model}.model`, kind)));
      return loadTokenizer(path);
    };
    const peers = {
      sp_test_model_ids: await load("test_model", "unigram"),
      sp_ja_ids: await load("test_ja_model", "unigram"),
      sp_tok512_ids: await load("tok512", "bpe"),
    };
    for (const line of unpack(`${fixtures}/vectors.jsonl.gz`).trimEnd().split("\n")) {
      const vector = JSON.parse(line) as { text: string } & Record<keyof typeof peers, number[]>;
      for (const [name, tokenizer] of Object.entries(peers))
        expect([...(await tokenizer.encode(vector.text))], `${name}: ${vector.text}`).toEqual(
          vector[name as keyof typeof peers],
        );
    }
  },
);

async function unpacked(name: string, contents: Record<string, string>): Promise<Tokenizer> {
  const at = mkdtempSync(join(folder, name));
  for (const [file, from] of Object.entries(contents)) writeFileSync(join(at, file), unpack(`${public_}/${from}`));
  return loadTokenizer(at);
}
