/** Rows of two texts: a source and its target, or two sentences that mean the same. */
import { fail, nd } from "../ir/index.js";
import type { Batch, Batches } from "./batch.js";
import { type BucketOptions, bucketed, type Group } from "./buckets.js";
import { frameOf } from "./classification.js";
import { column } from "./columns.js";
import { type Overflow, type OverflowReport, overflow } from "./overflow.js";
import type { Row } from "./row.js";
import { layTarget, sourcesAndTargets } from "./targets.js";
import type { Tokenizer } from "./tokenizer.js";

/** Two texts as the model reads them. */
export interface Pair {
  readonly id: string;
  readonly first: Int32Array;
  readonly second: Int32Array;
}

export interface PairOptions {
  readonly tokenizer: Tokenizer;
  /** The most tokens of either text. */
  readonly contextLength: number;
  /** Columns of the two texts; of the id, default "id", else the place in the file. */
  readonly columns: readonly [first: string, second: string];
  readonly id?: string;
  /** What becomes of a pair of which one text is too long; cutting keeps its beginning. Default "error". */
  readonly overflow?: Exclude<Overflow, "split">;
}

/**
 * Reads and encodes pairs; they are held in memory as ids. Throws "data" for a missing column, an empty text or no rows at all,
 * "overflow" for texts longer than the context, each with the place in the file.
 */
export async function encodePairs(
  rows: AsyncIterable<Row> | Iterable<Row>,
  o: PairOptions,
): Promise<{ readonly pairs: readonly Pair[]; readonly overflow: OverflowReport }> {
  const read: { id: string; texts: readonly [string, string] }[] = [];
  for await (const row of rows)
    read.push({
      id: String(row.fields[o.id ?? "id"] ?? row.at),
      texts: [textOf(row, o.columns[0]), textOf(row, o.columns[1])],
    });
  if (!read.length) throw fail("data", "there are no pairs", "give a table with a row for each");
  const { before, after } = frameOf(o.tokenizer);
  const count = overflow(o.overflow ?? "error", o.contextLength - before.length - after.length, ["truncate", "drop"]);
  const encoded = await o.tokenizer.encodeBatch(read.flatMap(({ texts }) => texts));
  const pairs = read.flatMap(({ id }, i): Pair[] => {
    const [first, second] = [2 * i, 2 * i + 1].map((at) => count.take(id, encoded[at]!)[0]);
    if (!first || !second) return [];
    const framed = (ids: Int32Array) => Int32Array.from([...before, ...ids, ...after]);
    return [{ id, first: framed(first), second: framed(second) }];
  });
  return { pairs, overflow: count.finish() };
}

function textOf(row: Row, name: string): string {
  const text = String(column(row, name));
  if (text.trim() === "")
    throw fail("data", `the text in column "${name}" is empty`, "fill it in or remove the line", row.at);
  return text;
}

export interface PairBatchOptions extends BucketOptions {
  /** Id of padding, default 0: also what a decoder's text starts with. */
  readonly pad?: number;
}

/** Pairs to batches of a few lengths. Throws "data" when there are none. */
function batched(
  pairs: readonly Pair[],
  size: (pair: Pair) => number,
  { o, assemble }: { o: PairBatchOptions; assemble: (members: readonly Pair[], group: Group) => Batch },
): Batches {
  if (!pairs.length) throw fail("data", "there are no pairs left", "check the data and the overflow setting");
  const { perEpoch, group } = bucketed(pairs.map(size), o);
  const at = (index: number) => {
    const chosen = group(index);
    const members = chosen.members.map((i) => pairs[i]!);
    return assemble(members, chosen);
  };
  return { perEpoch, at };
}

/**
 * First texts to second ones, for an encoder–decoder: batches by the source's length. Feeds: `ids segments` i32 [B S],
 * `decoderIds decoderSegments labels` i32 [B T], `weights` f32 [B T]; rows that fill up a batch have weight 0 and segment 0.
 */
export function sequenceBatches(pairs: readonly Pair[], o: PairBatchOptions): Batches {
  const { batchSize: B, pad = 0 } = o;
  const longest = pairs.reduce((most, { second }) => Math.max(most, second.length), 1);
  const T = Math.min(8 * Math.ceil(longest / 8), o.contextLength ?? longest);
  const assemble = (members: readonly Pair[], { length: S }: Group): Batch => {
    const feeds = sourcesAndTargets([B, S, T], pad);
    for (const [b, { first, second }] of members.entries()) {
      feeds.ids.data.set(first, b * S);
      feeds.segments.data.fill(1, b * S, b * S + first.length);
      layTarget(feeds, second, { at: b * T, segment: 1, start: pad });
    }
    const tokens = members.reduce((sum, { second }) => sum + second.length, 0);
    return { feeds, tokens, examples: members.length, ids: members.map(({ id }) => id) };
  };
  return batched(pairs, ({ first }) => first.length, { o, assemble });
}

/**
 * Pairs that are to lie together, the others of the batch apart. Feeds: `ids segments` i32 [2B T], the first texts and below them
 * the second; `texts` i32 [2B], a number for each different text; `weights` f32 [B]. Rows that fill up a batch have weight 0.
 */
export function contrastBatches(pairs: readonly Pair[], o: PairBatchOptions): Batches {
  const { batchSize: B, pad = 0 } = o;
  const assemble = (members: readonly Pair[], { length: T }: Group): Batch => {
    const [ids, segments] = [nd("i32", [2 * B, T], pad), nd("i32", [2 * B, T], 0)];
    const texts = nd("i32", [2 * B], 0);
    const weights = nd("f32", [B], 0);
    const known = new Map<string, number>();
    const lay = (text: Int32Array, row: number) => {
      ids.data.set(text, row * T);
      segments.data.fill(1, row * T, row * T + text.length);
      const key = text.join();
      if (!known.has(key)) known.set(key, known.size + 1);
      texts.data[row] = known.get(key)!;
    };
    for (const [b, { first, second }] of members.entries()) {
      lay(first, b);
      lay(second, B + b);
      weights.data[b] = 1;
    }
    const feeds = { ids, segments, texts, weights };
    return { feeds, tokens: members.length, examples: members.length, ids: members.map(({ id }) => id) };
  };
  return batched(pairs, ({ first, second }) => Math.max(first.length, second.length), { o, assemble });
}
