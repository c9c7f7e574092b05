/** Span extraction: the piece of a text that answers a question, by its first and last token (Devlin et al. 2018). */
import { f32, i32, input, type Scope, scalar, type Tensor, u32 } from "../ir/index.js";
import type { Family, ModelSizes } from "../models/index.js";
import { linear, normal } from "../nn/index.js";
import { crossEntropy, where } from "../ops/index.js";
import type { Objective } from "../optim/index.js";

export interface SpanExtractionSizes {
  readonly batch: number;
  readonly length: number;
  /** Whether dropout is on; its `seed` (u32 scalar) is then fed. */
  readonly training?: boolean;
}

export interface SpanExtraction {
  /** The mean loss of an example's two ends, summed over examples of weight 1, and how many they are. */
  readonly objective: Objective;
  /** `logits` [B T 2]; `starts` and `ends`, probabilities [B T] over the tokens that are no padding; `losses` [B] in nats. */
  readonly outputs: Readonly<Record<"logits" | "starts" | "ends" | "losses", Tensor>>;
}

/** A family's body with two scores for each token. Fed: ids, segments and types i32 [B T], start and end i32 [B], weights f32 [B]. */
export function spanExtraction<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, batch, length, training = false }: SpanExtractionSizes & { readonly p: Scope },
): SpanExtraction {
  const rows = (name: string) => input(name, i32([batch, length]));
  const segments = rows("segments");
  const dropout = training ? { seed: input("seed", u32([])) } : undefined;
  const hidden = family.body(p, { ids: rows("ids"), segments, types: rows("types"), dropout }, config);
  const logits = linear(p.at("qa_outputs"), hidden, 2, { init: normal(0.02) });
  // finite: a row of nothing but padding would be NaN after softmax
  const real = (end: 0 | 1) =>
    where(segments.greater(0), logits.slice(2, end, end + 1).reshape([batch, length]), scalar(-1e9));
  const [first, last] = [real(0), real(1)];
  const loss = (scores: Tensor, label: string) => crossEntropy(scores, input(label, i32([batch])))[0];
  const losses = loss(first, "start").add(loss(last, "end")).mul(0.5);
  const weights = input("weights", f32([batch]));
  return {
    objective: { sum: losses.mul(weights).sum(), count: weights.sum() },
    outputs: { logits, starts: first.softmax(), ends: last.softmax(), losses },
  };
}
