/** Span corruption: source and target together are the text, and nothing else depends on how batches are cut. */
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import type { Nd } from "../ir/index.js";
import {
  type Document,
  random,
  spanBatches,
  type Tokenizer,
  type Tokens,
  trainTokenizer,
  writeShards,
} from "./index.js";

const folder = temporary("plinth-spans-");
const texts = Array.from({ length: 120 }, (_, d) => {
  const rng = random(1, d);
  return Array.from({ length: 1 + rng.below(rng.below(3) ? 8 : 60) }, () => `word${rng.below(60)}`).join(" ");
});
async function* documents(): AsyncGenerator<Document> {
  for (const [i, text] of texts.entries()) yield { at: `${i}`, text };
}
let tokenizer: Tokenizer;
let tokens: Tokens;
let withEnds: Tokens;
beforeAll(async () => {
  tokenizer = await trainTokenizer(texts, { kind: "bpe", vocabSize: 400, sentinels: 20 });
  tokens = await writeShards(documents(), { tokenizer, folder: join(folder(), "plain") });
  withEnds = await writeShards(documents(), { tokenizer, folder: join(folder(), "ends"), end: tokenizer.special.eos! });
});

const T = 48;
const options = () => ({ tokenizer, contextLength: T, batchSize: 4, seed: 5 });
const rows = ({ data, shape }: Nd) =>
  Array.from({ length: shape[0]! }, (_, b) => Array.from(data.slice(b * shape[1]!, (b + 1) * shape[1]!), Number));

interface Seen {
  readonly source: number[];
  readonly seen: number[];
  readonly target: number[];
}
/** Every document of an epoch as source, what the decoder sees, and target. */
async function epoch(from: Tokens, o: Partial<Parameters<typeof spanBatches>[1]> = {}): Promise<Seen[]> {
  const batches = await spanBatches(from, { ...options(), shuffle: false, ...o });
  const all: Seen[] = [];
  for (let i = 0; i < batches.perEpoch; i++) {
    const { feeds, tokens: trained } = await batches.at(i);
    const [ids, segments, seen, targets, labels, weights] = (
      ["ids", "segments", "decoderIds", "decoderSegments", "labels", "weights"] as const
    ).map((name) => rows(feeds[name]!));
    expect(weights!.flat().reduce((a, b) => a + b, 0)).toBe(trained);
    for (let b = 0; b < ids!.length; b++) {
      expect(weights![b]).toEqual(targets![b]!.map((segment) => (segment ? 1 : 0)));
      const of = (values: number[], where: number[], segment: number) => values.filter((_, k) => where[k] === segment);
      for (let segment = 1; segment <= Math.max(...segments![b]!); segment++)
        all.push({
          source: of(ids![b]!, segments![b]!, segment),
          seen: of(seen![b]!, targets![b]!, segment),
          target: of(labels![b]!, targets![b]!, segment),
        });
    }
  }
  batches.close();
  return all;
}

/** The text again: each sentinel of the source in place of what the target says after it. */
function whole({ source, target }: Seen): number[] {
  const name = (id: number) => tokenizer.token(id)!;
  const said = new Map<string, number[]>();
  for (const id of target.slice(0, -1)) {
    if (name(id).startsWith("<extra_id_")) said.set(name(id), []);
    else [...said.values()].at(-1)!.push(id);
  }
  return source.slice(0, -1).flatMap((id) => said.get(name(id)) ?? [id]);
}

test("every source, filled in from its target, is its text again, and the decoder sees the start and what came before", async () => {
  const all = await epoch(tokens);
  const [pad, end] = [tokenizer.special.pad!, tokenizer.special.eos!];
  for (const one of all) {
    expect(one.seen).toEqual([pad, ...one.target.slice(0, -1)]);
    expect([one.source.at(-1), one.target.at(-1)]).toEqual([end, end]);
    const marks = (ids: number[]) =>
      ids.map((id) => tokenizer.token(id)!).filter((piece) => piece.startsWith("<extra"));
    expect(marks(one.source)).toEqual(marks(one.source).map((_, i) => `<extra_id_${i}>`));
    expect(marks(one.target)).toEqual(marks(one.source));
    expect(marks(one.target).length).toBeGreaterThan(0);
  }
  // longer documents come in pieces of a row; those of one token have nothing to ask for
  const expected = (await tokenizer.encodeBatch(texts)).flatMap((ids) =>
    Array.from({ length: Math.ceil(ids.length / (T - 1)) }, (_, i) => [...ids.slice(i * (T - 1), (i + 1) * (T - 1))]),
  );
  const text = (ids: readonly number[]) => ids.join(" ");
  expect(all.map((one) => text(whole(one))).sort()).toEqual(
    expected
      .filter((ids) => ids.length > 1)
      .map(text)
      .sort(),
  );
});

test("the share and the mean length are what was asked for", async () => {
  for (const [rate, spanLength] of [
    [0.15, 3],
    [0.5, 5],
  ] as const) {
    const all = (await epoch(tokens, { rate, spanLength })).filter((one) => whole(one).length > 30);
    const spans = all.map(({ target }) => target.filter((id) => tokenizer.isSpecial(id)).length - 1);
    const total = spans.reduce((a, b) => a + b, 0);
    const noise = all.reduce((sum, { target }) => sum + target.length, 0) - total - all.length;
    const length = all.reduce((sum, one) => sum + whole(one).length, 0);
    expect(noise / length).toBeCloseTo(rate, 1);
    expect(noise / total / spanLength).toBeCloseTo(1, 0);
  }
});

test("a batch depends on its index and the seed alone, and each epoch cuts elsewhere", async () => {
  const batches = await spanBatches(tokens, options());
  const ids = async (index: number) => [...(await batches.at(index)).feeds["ids"]!.data].join();
  expect(await ids(2)).toBe(await ids(2));
  const other = await spanBatches(tokens, { ...options(), seed: 6 });
  expect([...(await other.at(2)).feeds["ids"]!.data].join()).not.toBe(await ids(2));
  const [one, two] = await Promise.all([0, batches.perEpoch].map((index) => ids(index)));
  expect(one).not.toBe(two);
  const by = async (batchSize: number) =>
    (await epoch(tokens, { batchSize })).map(({ target }) => target.join()).sort();
  expect(await by(3)).toEqual(await by(7));
});

test("a corpus with end tokens asks for the same texts as one without", async () => {
  const [plain, ended] = [await epoch(tokens), await epoch(withEnds)];
  const text = (all: Seen[]) => all.map((one) => whole(one).join(" "));
  // a document that fills a row is cut one token earlier when it has an end
  const short = (all: string[]) => all.filter((ids) => ids.split(" ").length < T - 8).sort();
  expect(short(text(ended)).filter((one) => short(text(plain)).includes(one)).length).toBeGreaterThan(60);
  for (const one of ended) expect(whole(one)).not.toContain(tokenizer.special.eos);
});

test("sentinels descend from the end of the vocabulary, and texts come back", async () => {
  expect(tokenizer.special).toMatchObject({ pad: 0, eos: 1, unk: 2 });
  const last = tokenizer.vocabSize - 1;
  expect([0, 1, 19].map((i) => tokenizer.id(`<extra_id_${i}>`))).toEqual([last, last - 1, last - 19]);
  expect(await tokenizer.decode(await tokenizer.encode("word1 naïve 😀"))).toBe("word1 naïve 😀");
  expect([...(await tokenizer.encode("<extra_id_0> word1"))][0]).toBe(last);
});

test("what cannot be cut out is refused, with what to do", async () => {
  const plain = await trainTokenizer(texts, { kind: "bpe", vocabSize: 300 });
  await expect(spanBatches(tokens, { ...options(), tokenizer: plain })).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: cutting out spans needs a tokeniser with <pad>, </s> and the sentinels <extra_id_0>, <extra_id_1>, …
      help: take T5's own, or train one of kind bpe for family t5]
  `);
  await expect(spanBatches(tokens, { ...options(), rate: 1 })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[PlinthError: a share of 1 to cut out is not between 0 and 1]`,
  );
  await expect(spanBatches(tokens, { ...options(), spanLength: 0 })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[PlinthError: a mean of 0 tokens cut out in a row is less than 1]`,
  );
  await expect(
    trainTokenizer(texts, { kind: "wordpiece", vocabSize: 300, sentinels: 20 }),
  ).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a tokeniser of kind wordpiece has no sentinels
      help: train one of kind bpe]
  `);
  await expect(
    trainTokenizer(texts, { kind: "bpe", vocabSize: 270, sentinels: 20 }),
  ).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a bpe vocabulary of 270 is too small
      help: use at least 279]
  `);
});
