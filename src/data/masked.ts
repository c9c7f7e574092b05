/** Batches for a masked language model: hide some of the words, ask for them back (Devlin et al., 2018). */
import { fail, type Nd, nd } from "../ir/index.js";
import { type CorpusBatches, placesOf } from "./batch.js";
import { type Packing, pack } from "./packing.js";
import { type Random, random } from "./random.js";
import type { Tokens } from "./shards.js";
import type { Tokenizer } from "./tokenizer.js";

export interface MaskedOptions {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
  readonly batchSize: number;
  /** Fixes the order and what is hidden. */
  readonly seed: number;
  /** Share of places asked for. Default 0.15; 0.4 can be better for small models (Wettig et al., 2022). */
  readonly rate?: number;
  /** Hide words, not pieces of words. Default true. */
  readonly wholeWord?: boolean;
  /** Of the places asked for: shown as [MASK], as a random token; the rest is shown as it is. Default 0.8 and 0.1. */
  readonly masked?: number;
  readonly randomised?: number;
  /**
   * M, the places a batch has room for: "all" is ceil(B·T·rate); "expected" is what batches of this corpus ask for and 8 % more,
   * which saves the logits of places that stay empty (a batch that would need more asks for fewer). Default "all".
   */
  readonly places?: "all" | "expected";
  /** Random order; otherwise the corpus's, the last batch filled with rows of weight 0. Default true. */
  readonly shuffle?: boolean;
}

export interface MaskedBatches extends CorpusBatches {
  /** M: the places of every batch. */
  readonly places: number;
}

/**
 * Rows of whole documents, each [CLS] … [SEP] in a segment of its own. Feeds: `ids segments positions` i32 [B T],
 * `places labels` i32 [M] and `weights` f32 [M], where places index B·T. What is hidden depends on the
 * seed, the epoch and the row alone, so an evaluation is the same for every batch size. Throws "tokenizer" without [MASK].
 */
export async function maskedBatches(tokens: Tokens, o: MaskedOptions): Promise<MaskedBatches> {
  const { cls, sep, mask } = o.tokenizer.special;
  if (mask === undefined || cls === undefined || sep === undefined)
    throw fail(
      "tokenizer",
      "a masked model needs a tokeniser with [CLS], [SEP] and [MASK]",
      "train one of kind wordpiece",
    );
  const ordinary = Array.from({ length: o.tokenizer.vocabSize }, (_, id) => id).filter(
    (id) => !o.tokenizer.isSpecial(id),
  );
  if (!ordinary.length)
    throw fail(
      "tokenizer",
      "every entry of the vocabulary is a special token: there are no words",
      "give more text, or train a larger vocabulary",
    );
  const rate = o.rate ?? 0.15;
  if (!(rate > 0 && rate < 1)) throw fail("config", `a masking rate of ${rate} is not between 0 and 1`);
  const packing = await pack(tokens, { length: o.contextLength, overhead: 2 });
  const disguised = { ...o, ordinary };
  const shown = { cls, sep, pad: o.tokenizer.special.pad ?? 0 };
  const [B, T] = [o.batchSize, o.contextLength];
  const share = o.places === "expected" ? Math.min(1, packing.filled * 1.08) : 1;
  const M = Math.ceil(B * T * rate * share);
  const shuffle = o.shuffle ?? true;
  const at = (index: number) => {
    const ids = nd("i32", [B, T], shown.pad);
    const segments = nd("i32", [B, T], 0);
    const positions = nd("i32", [B, T], 0);
    const places = nd("i32", [M], 0);
    const labels = nd("i32", [M], 0);
    const weights = nd("f32", [M], 0);
    let used = 0;
    let examples = 0;
    const rows = placesOf(index, { rows: packing.rows, batchSize: B, ...(shuffle && { seed: o.seed }) });
    for (const [b, place] of rows.entries()) {
      if (!place) continue;
      examples++;
      const words = layRow({ ids, segments, positions }, b, tokens, packing.row(place.row), shown, o);
      const rng = random(o.seed, place.epoch, place.row);
      for (const i of choose(words, rate, rng).slice(0, M - used)) {
        places.data[used] = i;
        labels.data[used] = ids.data[i]!;
        weights.data[used++] = 1;
        ids.data[i] = disguise(ids.data[i]!, mask, disguised, rng);
      }
    }
    return { feeds: { ids, segments, positions, places, labels, weights }, tokens: used, examples };
  };
  return { at, perEpoch: Math.ceil(packing.rows / B), rows: packing.rows, places: M, close: packing.close };
}

interface RowFeeds {
  readonly ids: Nd<"i32">;
  readonly segments: Nd<"i32">;
  readonly positions: Nd<"i32">;
}

/** Writes row b and returns its words, each as flat places; special tokens belong to none. */
function layRow(
  feeds: RowFeeds,
  b: number,
  tokens: Tokens,
  pieces: ReturnType<Packing["row"]>,
  shown: { cls: number; sep: number },
  o: MaskedOptions,
): number[][] {
  const words: number[][] = [];
  let i = b * o.contextLength;
  for (const [segment, piece] of pieces.entries()) {
    const n = piece.end - piece.start;
    feeds.segments.data.fill(segment + 1, i, i + n + 2);
    for (let k = 0; k < n + 2; k++) feeds.positions.data[i + k] = k;
    feeds.ids.data[i++] = shown.cls;
    tokens.read(piece.start, piece.end, feeds.ids.data, i);
    let last: number[] | undefined;
    for (let k = 0; k < n; k++, i++) {
      const id = feeds.ids.data[i]!;
      if (o.tokenizer.isSpecial(id)) last = undefined;
      else if (last && o.wholeWord !== false && !o.tokenizer.startsWord[id]) last.push(i);
      else {
        last = [i];
        words.push(last);
      }
    }
    feeds.ids.data[i++] = shown.sep;
  }
  return words;
}

/** Whole words in random order until the share is reached; a word that would overshoot is passed over. */
function choose(words: number[][], rate: number, rng: Random): number[] {
  let places = 0;
  for (const word of words) places += word.length;
  const wanted = Math.max(1, Math.floor(places * rate));
  const chosen: number[] = [];
  for (const word of rng.shuffle(words)) {
    if (chosen.length === wanted) break;
    if (chosen.length + word.length <= wanted) chosen.push(...word);
  }
  return chosen.sort((a, b) => a - b);
}

interface Disguise extends Pick<MaskedOptions, "masked" | "randomised"> {
  /** Ids that a random token is drawn from. */
  readonly ordinary: readonly number[];
}

function disguise(id: number, mask: number, o: Disguise, rng: Random): number {
  const draw = rng.uniform();
  const masked = o.masked ?? 0.8;
  if (draw < masked) return mask;
  if (draw >= masked + (o.randomised ?? 0.1)) return id;
  return o.ordinary[rng.below(o.ordinary.length)]!;
}
