/** Text classification: one label for a text, such as its topic, its sentiment, its intent. */
import { f32, i32, input, type Scope, type Tensor, u32 } from "../ir/index.js";
import { type Family, type ModelSizes, type Pooling, read } from "../models/index.js";
import { linear, normal } from "../nn/index.js";
import { crossEntropy } from "../ops/index.js";
import type { Objective } from "../optim/index.js";

export interface TextClassificationSizes {
  readonly batch: number;
  readonly length: number;
  /** Number of classes. */
  readonly classes: number;
  readonly pooling?: Pooling;
  /** Whether dropout is on; its `seed` (u32 scalar) is then fed. */
  readonly training?: boolean;
}

export interface TextClassification {
  readonly objective: Objective;
  /** `logits` [B C], `probabilities` [B C], `losses` [B] in nats, `features` [B D]: what the head reads. */
  readonly outputs: Readonly<Record<"logits" | "probabilities" | "losses" | "features", Tensor>>;
}

const partsOf = <C extends ModelSizes>(family: Family<C>, config: C): readonly string[] =>
  family.classifierParts?.(config) ?? ["classifier"];

/** The head's parameters, as public checkpoints of classifiers name them. */
export function headNames<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { pooling }: { pooling?: Pooling | undefined },
): string[] {
  const parts = partsOf(family, config);
  const own = (pooling ?? family.poolings[0]) === "cls" ? parts : parts.slice(-1);
  return own.flatMap((part) => [`${part}.weight`, `${part}.bias`]);
}

/** A family's body with a linear head. Fed: ids and segments i32 [B T], labels i32 [B], weights f32 [B]. */
export function textClassification<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, ...sizes }: TextClassificationSizes & { readonly p: Scope },
): TextClassification {
  const { batch, length, classes, training = false, pooling = family.poolings[0]! } = sizes;
  const rows = (name: string) => input(name, i32([batch, length]));
  const x = { ids: rows("ids"), segments: rows("segments") };
  const dropout = training ? { seed: input("seed", u32([])) } : undefined;
  const hidden = read(family, config, { p, ...x, dropout });
  const features = family.pooled(p, hidden, { segments: x.segments, pooling }, config);
  const logits = linear(p.at(partsOf(family, config).at(-1)!), features, classes, {
    init: normal(0.02),
  });
  const [losses] = crossEntropy(logits, input("labels", i32([batch])));
  const weights = input("weights", f32([batch]));
  return {
    objective: { sum: losses.mul(weights).sum(), count: weights.sum() },
    outputs: { logits, probabilities: logits.softmax(), losses, features },
  };
}
