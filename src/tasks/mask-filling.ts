/** Masked words: how likely each piece of the vocabulary is where a text has a gap (Devlin et al. 2018). */
import { i32, input, type Scope, type Tensor } from "../ir/index.js";
import type { Family, ModelSizes } from "../models/index.js";

export interface MaskFillingSizes {
  readonly batch: number;
  readonly length: number;
  /** Gaps in all rows together. */
  readonly places: number;
}

/** Logarithms of probabilities [N V]. Fed: ids and segments i32 [B T]; places i32 [N], a gap's row times T and its column. */
export function maskFilling<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, batch, length, places }: MaskFillingSizes & { readonly p: Scope },
): Tensor {
  const rows = (name: string) => input(name, i32([batch, length]));
  const hidden = family.body(p, { ids: rows("ids"), segments: rows("segments") }, config);
  const flat = hidden.reshape([batch * length, hidden.shape[2]!]);
  return family.logits(p, flat.gather(input("places", i32([places]))), config).logSoftmax();
}
