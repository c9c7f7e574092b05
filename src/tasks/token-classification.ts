/** Token classification: a label for each token of a text, such as the kind of name it belongs to. */
import { f32, i32, input, type Scope, type Tensor, u32 } from "../ir/index.js";
import type { Family, ModelSizes } from "../models/index.js";
import { linear, normal } from "../nn/index.js";
import { crossEntropy } from "../ops/index.js";
import type { Objective } from "../optim/index.js";

export interface TokenClassificationSizes {
  readonly batch: number;
  readonly length: number;
  /** Number of classes. */
  readonly classes: number;
  /** Whether dropout is on; its `seed` (u32 scalar) is then fed. */
  readonly training?: boolean;
}

export interface TokenClassification {
  /** Summed loss over tokens of weight 1, and how many they are. */
  readonly objective: Objective;
  /** `logits` and `probabilities` [B T C], `losses` [B T] in nats. */
  readonly outputs: Readonly<Record<"logits" | "probabilities" | "losses", Tensor>>;
}

/** A family's body with a linear head on each token. Fed: ids, segments and labels i32 [B T], weights f32 [B T], 0 where no label counts. */
export function tokenClassification<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, batch, length, classes, training = false }: TokenClassificationSizes & { readonly p: Scope },
): TokenClassification {
  const rows = (name: string) => input(name, i32([batch, length]));
  const dropout = training ? { seed: input("seed", u32([])) } : undefined;
  const hidden = family.body(p, { ids: rows("ids"), segments: rows("segments"), dropout }, config);
  const logits = linear(p.at("classifier"), hidden, classes, { init: normal(0.02) });
  const [each] = crossEntropy(logits.reshape([batch * length, classes]), rows("labels").reshape([batch * length]));
  const losses = each.reshape([batch, length]);
  const weights = input("weights", f32([batch, length]));
  return {
    objective: { sum: losses.mul(weights).sum(), count: weights.sum() },
    outputs: { logits, probabilities: logits.softmax(), losses },
  };
}
