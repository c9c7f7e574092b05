/** Sentence vectors: one vector for a text, near those of texts that mean the same (Reimers and Gurevych 2019). */
import { i32, input, type Scope, type Tensor } from "../ir/index.js";
import { type Family, type ModelSizes, pool, read, type TokenPooling } from "../models/index.js";

export interface SentenceVectorsSizes {
  readonly batch: number;
  readonly length: number;
  readonly pooling: TokenPooling;
  /** Whether vectors are scaled to length 1. */
  readonly normalise: boolean;
}

/** Vectors [B D]. Fed: ids and segments i32 [B T]; pooled i32 [B T], 0 for tokens that are read and not pooled. */
export function sentenceVectors<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, batch, length, pooling, normalise }: SentenceVectorsSizes & { readonly p: Scope },
): Tensor {
  const rows = (name: string) => input(name, i32([batch, length]));
  const hidden = read(family, config, { p, ids: rows("ids"), segments: rows("segments") });
  const vectors = pool(hidden, rows("pooled"), pooling);
  if (!normalise) return vectors;
  // a vector of zeros stays one
  return vectors.div(vectors.square().sum([1], { keep: true }).sqrt().maximum(1e-12));
}
