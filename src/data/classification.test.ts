/** Labelled texts: every one comes with its own label, in a length that fits; what does not fit is said. */
import { beforeAll, expect, test } from "vitest";
import type { Nd } from "../ir/index.js";
import { classificationBatches, encodeExamples, type Row, random, type Tokenizer, trainTokenizer } from "./index.js";

const texts = Array.from({ length: 150 }, (_, d) => {
  const rng = random(1, d);
  const words = Array.from({ length: 1 + rng.below(rng.below(3) ? 8 : 40) }, () => `word${rng.below(60)}`);
  return words.join(" ");
});
const labelled = texts.map((text, i): Row => ({ at: `file:${i + 1}`, fields: { text, label: `class ${i % 3}` } }));

let bpe: Tokenizer;
let bert: Tokenizer;
beforeAll(async () => {
  bpe = await trainTokenizer(texts, { kind: "bpe", vocabSize: 350 });
  bert = await trainTokenizer(texts, { kind: "wordpiece", vocabSize: 60 });
});

const rows = (x: Nd, width: number) =>
  Array.from({ length: x.data.length / width }, (_, b) => Array.from(x.data.slice(b * width, (b + 1) * width), Number));

test("every example comes once an epoch with its own label, in a length that fits", async () => {
  const { examples, labels } = await encodeExamples(labelled, { tokenizer: bert, contextLength: 300 });
  expect(labels).toEqual(["class 0", "class 1", "class 2"]);
  const batches = classificationBatches(examples, { batchSize: 8, seed: 1 });
  expect(batches.lengths.length).toBeGreaterThan(1);
  const byId = new Map(examples.map((example) => [example.id, example]));
  for (const round of [0, 1]) {
    const seen: string[] = [];
    for (let i = 0; i < batches.perEpoch; i++) {
      const { feeds, ids, examples } = await batches.at(round * batches.perEpoch + i);
      const width = feeds.ids!.shape[1]!;
      expect(batches.lengths).toContain(width);
      for (let b = 0; b < 8; b++) {
        expect(feeds.weights!.data[b]).toBe(b < examples ? 1 : 0);
        if (b >= examples) continue;
        const example = byId.get(ids![b]!)!;
        seen.push(example.id);
        expect(feeds.labels!.data[b]).toBe(example.label);
        const row = rows(feeds.ids!, width)[b]!;
        expect(row.filter((_, t) => rows(feeds.segments!, width)[b]![t])).toEqual([...example.ids]);
      }
    }
    expect(seen.sort()).toEqual(examples.map((example) => example.id).sort());
  }
});

test("labels that are numbers keep their order", async () => {
  const numbered = ["10", "2", "0"].map((label) => ({ at: label, fields: { text: "word1", label: Number(label) } }));
  const { labels, examples } = await encodeExamples(numbered, { tokenizer: bert, contextLength: 40 });
  expect([labels, examples.map((one) => one.label)]).toEqual([
    ["0", "2", "10"],
    [2, 1, 0],
  ]);
});

test("a handful of examples is not divided among lengths", async () => {
  const { examples } = await encodeExamples(labelled.slice(0, 20), { tokenizer: bert, contextLength: 300 });
  expect(classificationBatches(examples, { batchSize: 16, seed: 1 }).lengths).toHaveLength(1);
});

test("over-long examples are refused, dropped, cut or split, and always counted", async () => {
  const encode = (overflow: "error" | "drop" | "truncate" | "split") =>
    encodeExamples(labelled, { tokenizer: bert, contextLength: 40, overflow });
  await expect(encode("error")).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: 18 examples are longer than 38 tokens (the longest has 53): file:1, file:9, file:12
      help: set overflow to "truncate", "split" or "drop", or use a longer contextLength]
  `);
  const lengths = (await bert.encodeBatch(texts)).map((ids) => ids.length);
  const long = lengths.filter((length) => length > 38);
  const [drop, truncate, split] = [await encode("drop"), await encode("truncate"), await encode("split")];
  expect(drop.examples).toHaveLength(texts.length - long.length);
  expect(drop.overflow).toMatchObject({ examples: long.length, lostTokens: long.reduce((a, b) => a + b) });
  expect(truncate.overflow.lostTokens).toBe(long.reduce((a, b) => a + b - 38, 0));
  expect(split.overflow.lostTokens).toBe(0);
  expect(split.examples.reduce((sum, one) => sum + one.ids.length - 2, 0)).toBe(lengths.reduce((a, b) => a + b));
  expect(truncate.overflow.ids).toHaveLength(3);
});

test("labels never seen in training are refused with the nearest", async () => {
  const row = { at: "test.csv:9", fields: { text: "word1", label: "clas 1" } };
  const encode = (o: object) => encodeExamples([row], { tokenizer: bert, contextLength: 40, ...o });
  await expect(encode({ labels: ["class 0", "class 1"] })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the label "clas 1" was never seen in training
      at test.csv:9
      help: the labels are class 0, class 1; did you mean "class 1"?]
  `);
  await expect(encode({ label: "lable" })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: there is no column "lable"
      at test.csv:9
      help: the columns are text, label; did you mean "label"?]
  `);
  await expect(
    encodeExamples([{ ...row, fields: { text: " ", label: "x" } }], { tokenizer: bert, contextLength: 9 }),
  ).rejects.toThrow(/the text is empty/);
});

test("a GPT tokeniser frames a text as its pre-training did: end-of-text, then the text", async () => {
  const { examples } = await encodeExamples(labelled.slice(0, 1), { tokenizer: bpe, contextLength: 400 });
  expect([...examples[0]!.ids]).toEqual([bpe.special.eos, ...(await bpe.encode(texts[0]!))]);
});
