/** Batches: pure functions of their index that lose nothing, repeat nothing and mix nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Nd } from "../ir/index.js";
import {
  type Batch,
  type Batches,
  causalBatches,
  type Document,
  maskedBatches,
  random,
  type Tokenizer,
  type Tokens,
  trainTokenizer,
  writeShards,
} from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "plinth-batches-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Documents of 1 to 40 words, so that some are longer than a context of 16. */
const texts = Array.from({ length: 150 }, (_, d) => {
  const rng = random(1, d);
  const words = Array.from({ length: 1 + rng.below(rng.below(3) ? 8 : 40) }, () => `word${rng.below(60)}`);
  return words.join(" ");
});
async function* documents(): AsyncGenerator<Document> {
  for (const [i, text] of texts.entries()) yield { at: `${i}`, text };
}

let bpe: Tokenizer;
let bert: Tokenizer;
let withEnds: Tokens;
let plain: Tokens;
beforeAll(async () => {
  bpe = await trainTokenizer(texts, { kind: "bpe", vocabSize: 350 });
  bert = await trainTokenizer(texts, { kind: "wordpiece", vocabSize: 60 });
  withEnds = await writeShards(documents(), { tokenizer: bpe, folder: join(folder, "bpe"), end: bpe.special.eos! });
  plain = await writeShards(documents(), { tokenizer: bert, folder: join(folder, "bert") });
});

const T = 16;
const rows = (x: Nd, width: number) =>
  Array.from({ length: x.data.length / width }, (_, b) => Array.from(x.data.slice(b * width, (b + 1) * width), Number));
const epoch = async (batches: Batches) => {
  const all: Batch[] = [];
  for (let i = 0; i < batches.perEpoch; i++) all.push(await batches.at(i));
  return all;
};

describe("causal", () => {
  test("an evaluation predicts every token of every document once, from what stands before it in that document", async () => {
    const batches = await causalBatches(withEnds, {
      tokenizer: bpe,
      contextLength: T,
      batchSize: 4,
      seed: 0,
      shuffle: false,
    });
    const pairs: string[] = [];
    for (const { feeds, tokens } of await epoch(batches)) {
      const [ids, labels, weights, segments, positions] = ["ids", "labels", "weights", "segments", "positions"].map(
        (name) => rows(feeds[name]!, T),
      );
      let trained = 0;
      for (let b = 0; b < 4; b++)
        for (let t = 0; t < T; t++) {
          const used = weights![b]![t] === 1;
          expect(segments![b]![t]! > 0).toBe(used);
          if (!used) continue;
          trained++;
          pairs.push(`${ids![b]![t]} ${labels![b]![t]}`);
          const goesOn = t > 0 && segments![b]![t] === segments![b]![t - 1];
          expect(positions![b]![t]).toBe(goesOn ? positions![b]![t - 1]! + 1 : 0);
          if (goesOn) expect(ids![b]![t]).toBe(labels![b]![t - 1]);
        }
      expect(tokens).toBe(trained);
    }
    const end = bpe.special.eos!;
    const expected = (await bpe.encodeBatch(texts)).flatMap((ids) =>
      [...ids, end].map((label, i) => `${i ? ids[i - 1] : end} ${label}`),
    );
    expect(pairs.sort()).toEqual(expected.sort());
    batches.close();
  });

  test("joined documents are the corpus read straight through, each window going on where the last stopped", async () => {
    const o = { tokenizer: bpe, contextLength: T, batchSize: 3, seed: 0, documents: "joined" } as const;
    const batches = await causalBatches(withEnds, { ...o, shuffle: false });
    const stream = new Int32Array(withEnds.header.tokens);
    withEnds.read(0, stream.length, stream);
    const all = await epoch(batches);
    const labels = all.flatMap(({ feeds }) => [...feeds.labels!.data].filter((_, i) => feeds.weights!.data[i] === 1));
    const ids = all.flatMap(({ feeds }) => [...feeds.ids!.data].filter((_, i) => feeds.weights!.data[i] === 1));
    expect(ids).toEqual([...stream.slice(0, -1)]);
    expect(labels).toEqual([...stream.slice(1)]);
    const shuffled = await causalBatches(withEnds, o);
    const first = (await shuffled.at(0)).feeds.ids!.data;
    const nextEpoch = (await shuffled.at(shuffled.perEpoch)).feeds.ids!.data;
    expect(first).not.toEqual(nextEpoch);
    expect((await shuffled.at(5)).tokens).toBe(3 * T);
  });

  test("an epoch of training is every row once, in another order each time", async () => {
    const batches = await causalBatches(withEnds, { tokenizer: bpe, contextLength: T, batchSize: 1, seed: 3 });
    const order = async (from: number) => {
      const seen: string[] = [];
      for (let i = 0; i < batches.perEpoch; i++) seen.push((await batches.at(from + i)).feeds.labels!.data.join(" "));
      return seen;
    };
    const [one, two] = [await order(0), await order(batches.perEpoch)];
    expect(one).not.toEqual(two);
    expect(one.sort()).toEqual(two.sort());
    batches.close();
  });
});

const options = { contextLength: T, batchSize: 4, seed: 5, rate: 0.3 };

describe("masked", () => {
  test("putting the labels back gives the documents, each between [CLS] and [SEP]", async () => {
    const batches = await maskedBatches(plain, { ...options, tokenizer: bert, shuffle: false });
    const found: string[] = [];
    for (const { feeds } of await epoch(batches)) {
      const ids = Int32Array.from(feeds.ids!.data as Int32Array);
      for (const [m, place] of (feeds.places!.data as Int32Array).entries())
        if (feeds.weights!.data[m]) ids[place] = feeds.labels!.data[m] as number;
      const segments = rows(feeds.segments!, T);
      for (const [b, row] of rows({ dtype: "i32", shape: [], data: ids }, T).entries())
        for (let s = 1; segments[b]!.includes(s); s++) {
          const piece = row.filter((_, t) => segments[b]![t] === s);
          expect([piece[0], piece.at(-1)]).toEqual([bert.special.cls, bert.special.sep]);
          found.push(piece.slice(1, -1).join(" "));
        }
    }
    const expected = (await bert.encodeBatch(texts)).flatMap((ids) =>
      Array.from({ length: Math.ceil(ids.length / (T - 2)) }, (_, i) =>
        ids.slice(i * (T - 2), (i + 1) * (T - 2)).join(" "),
      ),
    );
    expect(found.sort()).toEqual(expected.sort());
    batches.close();
  });

  test("of the places asked for, 80 % are [MASK], 10 % another token and 10 % as they were; words are hidden whole", async () => {
    const batches = await maskedBatches(plain, { ...options, tokenizer: bert });
    const count = { asked: 0, mask: 0, same: 0, places: 0 };
    for (let i = 0; i < 300; i++) {
      const { feeds, tokens } = await batches.at(i);
      expect(feeds.places!.shape).toEqual([batches.places]);
      const ids = feeds.ids!.data as Int32Array;
      const original = Int32Array.from(ids);
      const asked = new Set<number>();
      for (let m = 0; m < tokens; m++) {
        const [place, label] = [feeds.places!.data[m] as number, feeds.labels!.data[m] as number];
        expect(bert.isSpecial(label)).toBe(false);
        count.asked++;
        if (ids[place] === bert.special.mask) count.mask++;
        if (ids[place] === label) count.same++;
        original[place] = label;
        asked.add(place);
      }
      expect(asked.size).toBe(tokens);
      for (let p = 0; p < ids.length; p++) {
        const inside = !bert.isSpecial(original[p]!) && !bert.startsWord[original[p]!];
        if (!bert.isSpecial(original[p]!)) count.places++;
        if (inside && p % T && !bert.isSpecial(original[p - 1]!)) expect(asked.has(p)).toBe(asked.has(p - 1));
      }
    }
    expect(count.mask / count.asked).toBeCloseTo(0.8, 1);
    expect(count.same / count.asked).toBeCloseTo(0.1, 1);
    expect(count.asked / count.places).toBeGreaterThan(0.2);
    expect(count.asked / count.places).toBeLessThan(0.31);
    batches.close();
  });

  test("an evaluation asks for the same tokens whatever the batch size", async () => {
    const asked = async (batchSize: number) => {
      const batches = await maskedBatches(plain, { ...options, batchSize, tokenizer: bert, shuffle: false });
      const all: string[] = [];
      for (const [i, { feeds, tokens }] of (await epoch(batches)).entries())
        for (let m = 0; m < tokens; m++) {
          const place = (feeds.places!.data[m] as number) + i * batchSize * T;
          all.push(`${place}: ${feeds.ids!.data[feeds.places!.data[m] as number]} was ${feeds.labels!.data[m]}`);
        }
      batches.close();
      return all;
    };
    expect(await asked(7)).toEqual(await asked(4));
  });
});

describe("cursor", () => {
  test("the same index gives the same batch, in any order of asking", async () => {
    const [one, two] = [
      await maskedBatches(plain, { ...options, tokenizer: bert }),
      await maskedBatches(plain, { ...options, tokenizer: bert }),
    ];
    const later = await two.at(40);
    for (const i of [3, 40, 0]) expect(await one.at(i)).toEqual(i === 40 ? later : await two.at(i));
  });
});

test("a corpus smaller than one context is refused before anything runs", async () => {
  async function* tiny(): AsyncGenerator<Document> {
    yield { at: "tiny.txt:1", text: "word1 word2" };
  }
  const small = await writeShards(tiny(), { tokenizer: bpe, folder: join(folder, "tiny"), end: bpe.special.eos! });
  const o = { tokenizer: bpe, contextLength: 64, batchSize: 2, seed: 1 };
  await expect(causalBatches(small, o)).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the corpus has 5 tokens, less than one context of 64
      help: add text, or use a contextLength of at most 5]
  `);
  await expect(causalBatches(small, { ...o, documents: "joined" })).rejects.toThrow(/less than one context/);
  await expect(maskedBatches(small, o)).rejects.toThrow(/needs a tokeniser with \[CLS\]/);
});
