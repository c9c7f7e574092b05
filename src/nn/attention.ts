/** Scaled dot-product attention (Vaswani et al. 2017): heads, masks, and dropout on the probabilities. */
import { constant, f32, i32, type Scope, scalar, type Tensor } from "../ir/index.js";
import { attention, cumsum, repeatHeads, where } from "../ops/index.js";
import type { Cache } from "./cache.js";
import { dropout, type Noise } from "./layers.js";

/** Rows above this length are computed when a program runs: as constants they would take more than they are worth. */
const longest = 8192;
// finite: a row of nothing but -Infinity would be NaN after softmax
export const hidden = -1e9;

/** [B T D] -> [B H T D/H]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [B, T, D] = x.dims("B T D");
  return x.reshape([B, T, heads, D / heads]).transpose([0, 2, 1, 3]);
}

/** Queries, keys and values of one fused projection [B T 3D] -> three [B H T D/H]. */
export function splitFused(x: Tensor, heads: number): [q: Tensor, k: Tensor, v: Tensor] {
  const [B, T, threeD] = x.dims("B T 3D");
  const size = threeD / 3 / heads;
  const parts = x.reshape([B, T, 3, heads, size]).transpose([2, 0, 3, 1, 4]).split(0, [1, 1, 1]);
  const [q, k, v] = parts.map((part) => part.reshape([B, heads, T, size])) as [Tensor, Tensor, Tensor];
  return [q, k, v];
}

/**
 * Where each position may look, as numbers added to the scores: f32 [T T], or [B 1 T T] with segments; undefined when everywhere.
 * `window` is how many positions a causal row sees, itself included (Mistral, Jiang et al. 2023); all before it if absent.
 */
export function attentionMask(
  length: number,
  { causal, window, segments }: { causal: boolean; window?: number | undefined; segments?: Tensor | undefined },
): Tensor | undefined {
  const past = causal ? pastMask(length, window) : undefined;
  if (!segments) return past;
  const [B, T] = segments.dims("B T");
  const same = segments.reshape([B, 1, T, 1]).equal(segments.reshape([B, 1, 1, T]));
  return where(same, past ?? scalar(0), scalar(hidden));
}

function pastMask(T: number, window = T): Tensor {
  if (T > longest) {
    const keys = rowPositions(1, T);
    const back = keys.reshape([T, 1]).sub(keys);
    return where(back.greater(-1).and(back.less(window)), scalar(0), scalar(hidden));
  }
  const values = new Float64Array(T * T).fill(hidden);
  for (let query = 0; query < T; query++)
    values.fill(0, query * T + Math.max(0, query + 1 - window), query * T + query + 1);
  return constant(values, f32([T, T]));
}

/**
 * Where each query may look in another sequence, as numbers added to the scores: i32 [B T] and [B S] -> f32 [B 1 T S], equal
 * segments seeing each other; without the queries' [B 1 1 S], all that is not padding.
 */
export function crossMask(queries: Tensor | undefined, keys: Tensor): Tensor {
  const [B, S] = keys.dims("B S");
  const row = keys.reshape([B, 1, 1, S]);
  const open = queries ? queries.reshape([B, 1, queries.shape[1]!, 1]).equal(row) : row.greater(0);
  return where(open, scalar(0), scalar(hidden));
}

/** Positions 0, 1, … of every row: i32 [B T]. */
export function rowPositions(B: number, T: number): Tensor {
  if (T > longest)
    return cumsum(constant(1, i32([1, T])), { axis: 1 })
      .sub(1)
      .expand([B, T]);
  return constant(
    Array.from({ length: B * T }, (_, i) => i % T),
    i32([B, T]),
  );
}

export interface AttendOptions {
  /** Numbers added to the scores of the new tokens among themselves. */
  readonly mask: Tensor | undefined;
  /** 1 / √(D/H) if absent. */
  readonly scale?: number | undefined;
  /** Dropout of the probabilities, where `noise` is there. */
  readonly rate?: number | undefined;
  readonly noise?: Noise | undefined;
  /** What is known of earlier tokens, and keeps the new ones; with what is added to the scores of the earlier ones. */
  readonly cache?: Cache | undefined;
  readonly bias?: Tensor | undefined;
  /** How many positions a query sees of the earlier ones, its own included: what the mask says of the new ones. */
  readonly window?: number | undefined;
}

/** Queries [B H T D/H], keys and values of as many heads or of a divisor of them -> [B T D]. Each query's mean of the values, weighted by softmax(scale · q·k + mask). */
export function attend(
  p: Scope,
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  { mask, scale = q.shape[3]! ** -0.5, rate = 0, noise, cache, bias, window }: AttendOptions,
): Tensor {
  const [B, H, T, size] = q.dims("B H T D/H");
  const attended = () => {
    if (cache) return cache.attend(p.path, [q, k, v], { mask, scale, window, bias });
    if (noise && rate > 0)
      return dropout(p, scores(q, repeatHeads(k, H), { mask, scale }).softmax(), { rate, noise }).matmul(
        repeatHeads(v, H),
      );
    return attention(q, k, v, mask ?? scalar(0), { scale })[0];
  };
  return attended()
    .transpose([0, 2, 1, 3])
    .reshape([B, T, H * size]);
}

const scores = (q: Tensor, k: Tensor, { mask, scale }: { mask: Tensor | undefined; scale: number }): Tensor => {
  const s = q.matmul(k.T).mul(scale);
  return mask ? s.add(mask) : s;
};
