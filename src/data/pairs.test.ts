/** Pairs of texts: what is read, how it is laid into batches, and what is refused. */
import { expect, test } from "vitest";
import type { Nd } from "../ir/index.js";
import { contrastBatches, encodePairs, type Row, sequenceBatches, trainTokenizer } from "./index.js";

const row = (i: number, en: string, de: string): Row => ({ at: `pairs.csv:${i + 2}`, fields: { en, de } });
const table = [
  row(0, "the dog sleeps", "der Hund schläft"),
  row(1, "a cat", "eine Katze"),
  row(2, "the dog sleeps", "ein Hund schläft gerade jetzt"),
  row(3, "rain", "Regen"),
  row(4, "the sun shines on the sea", "die Sonne"),
];
const texts = table.flatMap(({ fields }) => [String(fields["en"]), String(fields["de"])]);
const learnt = (sentinels?: number) =>
  trainTokenizer(texts, { kind: "bpe", vocabSize: 320, ...(sentinels !== undefined && { sentinels }) });
const options = async () => ({
  tokenizer: await learnt(4),
  contextLength: 40,
  columns: ["en", "de"] as const,
});
const rows = ({ data, shape }: Nd) =>
  Array.from({ length: shape[0]! }, (_, b) => Array.from(data.slice(b * shape[1]!, (b + 1) * shape[1]!), Number));

test("a decoder sees the start and the target but its last token, and is trained on the whole target and nothing else", async () => {
  const o = await options();
  const { pairs, overflow } = await encodePairs(table, o);
  expect(overflow.examples).toBe(0);
  const batches = sequenceBatches(pairs, { batchSize: 2, seed: 1, shuffle: false, buckets: 1 });
  const seen: string[][] = [];
  for (let i = 0; i < batches.perEpoch; i++) {
    const { feeds, examples, tokens } = await batches.at(i);
    const [ids, segments, decoderIds, decoderSegments, labels, weights] = (
      ["ids", "segments", "decoderIds", "decoderSegments", "labels", "weights"] as const
    ).map((name) => rows(feeds[name]!));
    expect(weights!.flat().reduce((a, b) => a + b)).toBe(tokens);
    for (let b = 0; b < examples; b++) {
      const source = ids![b]!.filter((_, k) => segments![b]![k]);
      const target = labels![b]!.filter((_, k) => weights![b]![k]);
      expect(decoderIds![b]!.filter((_, k) => decoderSegments![b]![k])).toEqual([0, ...target.slice(0, -1)]);
      expect([source.at(-1), target.at(-1)]).toEqual([1, 1]);
      seen.push([await o.tokenizer.decode(source), await o.tokenizer.decode(target)]);
    }
    for (let b = examples; b < 2; b++) expect(weights![b]!.concat(segments![b]!)).not.toContain(1);
  }
  expect(seen.sort()).toEqual(table.map(({ fields }) => [fields["en"], fields["de"]]).sort());
});

test("texts below one another in one batch, equal ones with one number, and filler without weight", async () => {
  const o = await options();
  const { pairs } = await encodePairs(table, o);
  const batches = contrastBatches(pairs, { batchSize: 6, seed: 1, shuffle: false });
  expect(batches.perEpoch).toBe(1);
  const { feeds, examples } = await batches.at(0);
  const [ids, segments] = [rows(feeds["ids"]!), rows(feeds["segments"]!)];
  const said = await Promise.all(ids.map((row, b) => o.tokenizer.decode(row.filter((_, k) => segments[b]![k]))));
  const column = (name: string) => table.map(({ fields }) => String(fields[name]));
  expect(said).toEqual([...column("en"), "", ...column("de"), ""]);
  expect([...feeds["weights"]!.data]).toEqual([1, 1, 1, 1, 1, 0]);
  const numbers = [...feeds["texts"]!.data];
  expect(numbers[0]).toBe(numbers[2]);
  expect(new Set(numbers.filter((n) => n)).size).toBe(new Set(texts).size);
  expect(examples).toBe(5);
});

test("each text is framed as its tokeniser has it", async () => {
  const bert = await trainTokenizer(texts, { kind: "wordpiece", vocabSize: 120 });
  const frames = async (tokenizer: typeof bert) => {
    const { pairs } = await encodePairs([table[3]!], { ...(await options()), tokenizer });
    const { first } = pairs[0]!;
    return [first[0], first.at(-1)].map((id) => tokenizer.token(id!));
  };
  expect(await frames(bert)).toEqual(["[CLS]", "[SEP]"]);
  expect((await frames(await learnt()))[0]).toBe("<|endoftext|>");
  expect((await frames(await learnt(4)))[1]).toBe("</s>");
});

test("what cannot be read is refused with its place; what is too long is told, dropped or cut", async () => {
  const o = await options();
  const refusal = (given: readonly Row[], more: object = {}) =>
    encodePairs(given, { ...o, ...more }).then(
      () => "taken",
      (error: Error) => String(error),
    );
  expect(await refusal([])).toMatchInlineSnapshot(`
    "PlinthError: there are no pairs
      help: give a table with a row for each"
  `);
  expect(await refusal([row(0, "a", " ")])).toMatchInlineSnapshot(`
    "PlinthError: the text in column "de" is empty
      at pairs.csv:2
      help: fill it in or remove the line"
  `);
  expect(await refusal(table, { columns: ["en", "fr"] })).toMatchInlineSnapshot(`
    "PlinthError: there is no column "fr"
      at pairs.csv:2
      help: the columns are en, de"
  `);
  expect(await refusal(table, { contextLength: 10 })).toMatchInlineSnapshot(`
    "PlinthError: 2 examples are longer than 9 tokens (the longest has 14): pairs.csv:4, pairs.csv:6
      help: set overflow to "truncate" or "drop", or use a longer contextLength"
  `);
  const dropped = await encodePairs(table, { ...o, contextLength: 10, overflow: "drop" });
  expect(dropped.pairs.length + dropped.overflow.examples).toBe(5);
  const cut = await encodePairs(table, { ...o, contextLength: 10, overflow: "truncate" });
  expect(cut.pairs.length).toBe(5);
  for (const { first, second } of cut.pairs) {
    expect(Math.max(first.length, second.length)).toBeLessThanOrEqual(10);
    expect([first.at(-1), second.at(-1)]).toEqual([1, 1]);
  }
  expect(() => contrastBatches([], { batchSize: 2, seed: 1 })).toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: there are no pairs left
      help: check the data and the overflow setting]
  `);
});
