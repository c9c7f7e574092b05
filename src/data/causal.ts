/** Batches for a causal language model: every token from those before it. */
import { fail, nd } from "../ir/index.js";
import { type Batch, type CorpusBatches, type Place, placesOf } from "./batch.js";
import { type Packing, pack } from "./packing.js";
import { random } from "./random.js";
import type { Tokens } from "./shards.js";
import type { Tokenizer } from "./tokenizer.js";

export interface CausalOptions {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
  readonly batchSize: number;
  /** Fixes the order. */
  readonly seed: number;
  /**
   * "isolated": rows of whole documents, none seeing another. "joined": one long text cut into windows, as nanoGPT does;
   * each epoch cuts it elsewhere. Default "isolated".
   */
  readonly documents?: "isolated" | "joined";
  /** Random order; otherwise the corpus's, the last batch filled with rows of weight 0. Default true. */
  readonly shuffle?: boolean;
}

/**
 * Feeds: `ids labels segments positions` i32 [B T], `weights` f32 [B T]. Isolated documents begin with the end-of-text token
 * and their last label is that token, so every token of the corpus is learnt exactly once an epoch. Throws "tokenizer" when
 * the shards were written without one, "source" when the corpus is smaller than one context.
 */
export async function causalBatches(tokens: Tokens, o: CausalOptions): Promise<CorpusBatches> {
  if ((o.documents ?? "isolated") === "joined") return joined(tokens, o);
  const first = o.tokenizer.special.bos ?? o.tokenizer.special.eos;
  if (first === undefined || tokens.header.end === null)
    throw fail(
      "tokenizer",
      "a causal model needs an end-of-text token after each document",
      "write the shards with `end`, from a tokeniser of kind bpe or characters",
    );
  const packing = await pack(tokens, { length: o.contextLength, overhead: 0 });
  const at = assemble(o, packing.rows, (place, b, out) => layPieces(tokens, packing, place.row, b, first, o, out));
  return { at, perEpoch: Math.ceil(packing.rows / o.batchSize), rows: packing.rows, close: packing.close };
}

type Feeds = ReturnType<typeof empty>;

function empty(o: CausalOptions) {
  const shape = [o.batchSize, o.contextLength];
  return {
    ids: nd("i32", shape, o.tokenizer.special.pad ?? 0),
    labels: nd("i32", shape, 0),
    weights: nd("f32", shape, 0),
    segments: nd("i32", shape, 0),
    positions: nd("i32", shape, 0),
  };
}

/** `lay` writes one row and returns its trained tokens. */
function assemble(o: CausalOptions, rows: number, lay: (place: Place, b: number, out: Feeds) => number) {
  return (index: number): Batch => {
    const feeds = empty(o);
    let trained = 0;
    let examples = 0;
    const shuffle = o.shuffle ?? true;
    for (const [b, place] of placesOf(index, {
      rows,
      batchSize: o.batchSize,
      ...(shuffle && { seed: o.seed }),
    }).entries()) {
      if (!place) continue;
      examples++;
      trained += lay(place, b, feeds);
    }
    return { feeds, tokens: trained, examples };
  };
}

function layPieces(
  tokens: Tokens,
  packing: Packing,
  row: number,
  b: number,
  first: number,
  o: CausalOptions,
  out: Feeds,
): number {
  const { ids, labels, weights, segments, positions } = out;
  const from = b * o.contextLength;
  let i = from;
  for (const [segment, piece] of packing.row(row).entries()) {
    const n = piece.end - piece.start;
    tokens.read(piece.start, piece.end, labels.data, i);
    if (piece.opens) ids.data[i] = first;
    else tokens.read(piece.start - 1, piece.start, ids.data, i);
    ids.data.set(labels.data.subarray(i, i + n - 1), i + 1);
    weights.data.fill(1, i, i + n);
    segments.data.fill(segment + 1, i, i + n);
    for (let k = 0; k < n; k++) positions.data[i + k] = k;
    i += n;
  }
  return i - from;
}

/** Windows of T + 1 tokens that overlap by one, so that each is both an input and a label. */
function joined(tokens: Tokens, o: CausalOptions): CorpusBatches {
  const T = o.contextLength;
  const predicted = tokens.header.tokens - 1;
  if (predicted < T)
    throw fail(
      "source",
      `the corpus has ${tokens.header.tokens} tokens, less than one context of ${T} and the token after it`,
      `add text, or use a contextLength below ${tokens.header.tokens}`,
    );
  const shuffle = o.shuffle ?? true;
  // one window fewer leaves room to cut each epoch at another place
  const rows = shuffle ? Math.max(1, Math.floor(predicted / T) - 1) : Math.ceil(predicted / T);
  const room = predicted - rows * T + 1;
  const at = assemble(o, rows, (place, b, out) => {
    const start = place.row * T + (shuffle ? random(o.seed, place.epoch, -1).below(room) : 0);
    const n = Math.min(T, predicted - start);
    const i = b * T;
    tokens.read(start, start + n, out.ids.data, i);
    tokens.read(start + 1, start + n + 1, out.labels.data, i);
    out.weights.data.fill(1, i, i + n);
    out.segments.data.fill(1, i, i + n);
    for (let k = 0; k < n; k++) out.positions.data[i + k] = k;
    return n;
  });
  return { at, perEpoch: Math.ceil(rows / o.batchSize), rows, close: () => undefined };
}
