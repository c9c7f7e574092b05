/** Batches for an encoder–decoder: runs of tokens cut out of a text, each to be written again (Raffel et al., 2020). */
import { fail } from "../ir/index.js";
import { type CorpusBatches, placesOf } from "./batch.js";
import { type Packing, type Piece, pack } from "./packing.js";
import { type Random, random } from "./random.js";
import type { Tokens } from "./shards.js";
import { layTarget, sourcesAndTargets } from "./targets.js";
import type { Tokenizer } from "./tokenizer.js";

export interface SpanOptions {
  readonly tokenizer: Tokenizer;
  /** Tokens of text in a row; the source's row is shorter by what is cut out. */
  readonly contextLength: number;
  readonly batchSize: number;
  /** Fixes the order and what is cut out. */
  readonly seed: number;
  /** Share of the tokens that are cut out. Default 0.15. */
  readonly rate?: number;
  /** Mean number of tokens cut out in a row; more where the tokeniser has too few sentinels. Default 3. */
  readonly spanLength?: number;
  /** Random order; otherwise the corpus's, the last batch filled with rows of weight 0. Default true. */
  readonly shuffle?: boolean;
}

/** The ids that stand for what is cut out, in the order of their use, and those around them. */
interface Marks {
  readonly sentinels: readonly number[];
  readonly start: number;
  readonly end: number;
}

/**
 * Rows of whole documents, each in a segment of its own. A source is a document with each run replaced by the next sentinel,
 * and the end token; its target is each sentinel with the run it stands for, and the end token. Feeds: `ids segments` i32 [B S],
 * `decoderIds decoderSegments labels` i32 [B T] and `weights` f32 [B T], S and T being what the longest row needs. What is cut
 * out depends on the seed, the epoch and the row alone. Throws "tokenizer" without sentinels.
 */
export async function spanBatches(tokens: Tokens, o: SpanOptions): Promise<CorpusBatches> {
  const marks = marksOf(o.tokenizer);
  const { rate = 0.15, spanLength = 3, batchSize: B, shuffle = true } = o;
  if (!(rate > 0 && rate < 1)) throw fail("config", `a share of ${rate} to cut out is not between 0 and 1`);
  if (!(spanLength >= 1)) throw fail("config", `a mean of ${spanLength} tokens cut out in a row is less than 1`);
  const packing = await pack(tokens, { length: o.contextLength, overhead: 1 });
  const text = (row: number) => textOf(tokens, packing.row(row));
  const cuts = (n: number) => cutsOf(n, { rate, spanLength, most: marks.sentinels.length });
  const [S, T] = sizesOf(packing, { text, cuts, most: o.contextLength });
  const at = (index: number) => {
    const feeds = sourcesAndTargets([B, S, T], marks.start);
    let [trained, examples] = [0, 0];
    const rows = placesOf(index, { rows: packing.rows, batchSize: B, ...(shuffle && { seed: o.seed }) });
    for (const [b, place] of rows.entries()) {
      if (!place) continue;
      examples++;
      const rng = random(o.seed, place.epoch, place.row);
      let [s, t] = [b * S, b * T];
      for (const [segment, { start, length }] of text(place.row).entries()) {
        const ids = new Int32Array(length);
        tokens.read(start, start + length, ids);
        const { source, target } = corrupted(ids, cuts(length), marks, rng);
        feeds.ids.data.set(source, s);
        feeds.segments.data.fill(segment + 1, s, s + source.length);
        layTarget(feeds, target, { at: t, segment: segment + 1, start: marks.start });
        s += source.length;
        t += target.length;
      }
      trained += t - b * T;
    }
    return { feeds, tokens: trained, examples };
  };
  return { at, perEpoch: Math.ceil(packing.rows / B), rows: packing.rows, close: packing.close };
}

function marksOf({ special, id }: Tokenizer): Marks {
  const sentinels: number[] = [];
  for (let next = id("<extra_id_0>"); next !== undefined; next = id(`<extra_id_${sentinels.length}>`))
    sentinels.push(next);
  if (!sentinels.length || special.pad === undefined || special.eos === undefined)
    throw fail(
      "tokenizer",
      "cutting out spans needs a tokeniser with <pad>, </s> and the sentinels <extra_id_0>, <extra_id_1>, …",
      "take T5's own, or train one of kind bpe for family t5",
    );
  return { sentinels, start: special.pad, end: special.eos };
}

interface Text {
  readonly start: number;
  readonly length: number;
}

/** What of a row's pieces there is to learn from: without the end token that a corpus for causal models has, and of two tokens or more. */
function textOf(tokens: Tokens, pieces: readonly Piece[]): Text[] {
  const last = new Int32Array(1);
  return pieces.flatMap(({ start, end }) => {
    tokens.read(end - 1, end, last);
    const length = end - start - (last[0] === tokens.header.end ? 1 : 0);
    return length < 2 ? [] : [{ start, length }];
  });
}

interface Cuts {
  /** Tokens cut out, and in how many runs. */
  readonly noise: number;
  readonly spans: number;
}

function cutsOf(n: number, o: { rate: number; spanLength: number; most: number }): Cuts {
  const noise = Math.min(Math.max(Math.round(n * o.rate), 1), n - 1);
  const spans = Math.min(Math.max(Math.round(noise / o.spanLength), 1), n - noise, o.most);
  return { noise, spans };
}

/** What the longest rows need, source and target, in multiples of 8; neither is ever longer than the text and its ends. */
function sizesOf(
  packing: Packing,
  o: { text: (row: number) => Text[]; cuts: (n: number) => Cuts; most: number },
): [number, number] {
  let [S, T] = [8, 8];
  for (let row = 0; row < packing.rows; row++) {
    let [s, t] = [0, 0];
    for (const { length } of o.text(row)) {
      const { noise, spans } = o.cuts(length);
      s += length - noise + spans + 1;
      t += noise + spans + 1;
    }
    [S, T] = [Math.max(S, s), Math.max(T, t)];
  }
  const round = (n: number) => Math.min(8 * Math.ceil(n / 8), o.most);
  return [round(S), round(T)];
}

/** Kept and cut runs take turns, a kept one first: every text begins with what it keeps and ends with what it asks for. */
function corrupted(ids: Int32Array, { noise, spans }: Cuts, { sentinels, end }: Marks, rng: Random) {
  const kept = partition(ids.length - noise, spans, rng);
  const cut = partition(noise, spans, rng);
  const [source, target]: [number[], number[]] = [[], []];
  let at = 0;
  for (let i = 0; i < spans; i++) {
    source.push(...ids.subarray(at, at + kept[i]!), sentinels[i]!);
    at += kept[i]!;
    target.push(sentinels[i]!, ...ids.subarray(at, at + cut[i]!));
    at += cut[i]!;
  }
  return { source: [...source, end], target: [...target, end] };
}

/** `total` in so many parts of at least 1, every such way equally likely. */
function partition(total: number, parts: number, rng: Random): number[] {
  const places = rng.shuffle(Array.from({ length: total - 1 }, (_, i) => i + 1)).slice(0, parts - 1);
  const ends = [...places.sort((a, b) => a - b), total];
  return ends.map((end, i) => end - (ends[i - 1] ?? 0));
}
