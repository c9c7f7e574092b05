/** Sentence pairs by contrast: vectors of two texts that belong together are nearest among those of the batch (InfoNCE, van den Oord et al. 2018; Henderson et al. 2017). */
import { constant, f32, i32, input, type Scope, scalar, type Tensor, u32 } from "../ir/index.js";
import { type Family, type ModelSizes, type Pooling, pool, read } from "../models/index.js";
import { crossEntropy, where } from "../ops/index.js";
import type { Objective } from "../optim/index.js";

export interface SentencePairsSizes {
  /** Pairs in a batch: each text is told from so many less one. */
  readonly batch: number;
  readonly length: number;
  readonly pooling?: Pooling;
  /** What the cosines are multiplied with: the inverse of the temperature. Default 20, as in sentence-transformers. */
  readonly scale?: number;
  /** Whether the first is to be found from the second too. Default false. */
  readonly symmetric?: boolean;
  /** Whether dropout is on; its `seed` (u32 scalar) is then fed. */
  readonly training?: boolean;
}

export interface SentencePairs {
  /** Summed loss in nats over pairs, and how many they are. */
  readonly objective: Objective;
  /** `correct`: pairs whose second text is the nearest of the batch to the first; `vectors` [2B D] of length 1, the first texts' and then the second's. */
  readonly outputs: Readonly<Record<"correct" | "vectors", Tensor>>;
}

/**
 * A family's pooled vectors under in-batch negatives. Fed: ids and segments i32 [2B T], the first texts and below them the second;
 * texts i32 [2B], equal for equal texts, which are no negatives of one another's partners; weights f32 [B], 0 for filler.
 */
export function sentencePairs<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, ...sizes }: SentencePairsSizes & { readonly p: Scope },
): SentencePairs {
  const { batch: B, length, training = false, pooling = family.poolings[0]!, scale = 20, symmetric = false } = sizes;
  const rows = (name: string) => input(name, i32([2 * B, length]));
  const x = { ids: rows("ids"), segments: rows("segments") };
  const dropout = training ? { seed: input("seed", u32([])) } : undefined;
  const hidden = read(family, config, { p, ...x, dropout });
  const vectors = unit(pool(hidden, x.segments, pooling));
  const weights = input("weights", f32([B]));
  const [first, second] = vectors.split(0, [B, B]) as [Tensor, Tensor];
  const scores = first.matmul(second.T).mul(scale).add(apart(weights));
  const labels = constant(
    Array.from({ length: B }, (_, i) => i),
    i32([B]),
  );
  const forth = crossEntropy(scores, labels)[0];
  const losses = symmetric ? forth.add(crossEntropy(scores.T, labels)[0]).mul(0.5) : forth;
  const hits = scores.argmax(1).equal(labels).cast("f32");
  return {
    objective: { sum: losses.mul(weights).sum(), count: weights.sum() },
    outputs: { correct: hits.mul(weights).sum(), vectors },
  };
}

/** Rows of length 1. What is added keeps the gradient of a row of zeros finite, as that of a row that is padding. */
const unit = (x: Tensor): Tensor => x.div(x.square().sum([1], { keep: true }).add(1e-24).sqrt());

/** Added to the scores [B B]: 0 for a pair and for true negatives, hugely negative for filler and for pairs that share a text. */
function apart(weights: Tensor): Tensor {
  const [B] = weights.dims("B");
  const [first, second] = input("texts", i32([2 * B])).split(0, [B, B]) as [Tensor, Tensor];
  const same = (texts: Tensor) => texts.reshape([B, 1]).equal(texts.reshape([1, B]));
  const self = constant(
    Array.from({ length: B * B }, (_, i) => (i % (B + 1) === 0 ? 1 : 0)),
    f32([B, B]),
  ).greater(0);
  const filler = weights
    .reshape([1, B])
    .mul(weights.reshape([B, 1]))
    .equal(0);
  const shared = same(first).or(same(second)).or(filler);
  return where(shared.and(self.not()), scalar(-1e9), scalar(0));
}
