/** Language modelling: predict the next token, the masked ones, or the target of a source. */
import { f32, i32, input, nameOf, inputs as reached, type Scope, type Tensor, u32 } from "../ir/index.js";
import { type Family, type ModelSizes, memoryOf } from "../models/index.js";
import { crossEntropy } from "../ops/index.js";
import type { Objective } from "../optim/index.js";

export interface LanguageModelling {
  /**
   * What is fed, by name: ids, segments, positions [B T]; labels and weights, [B T] or [places]; places; seed, where dropout draws.
   * Of a source and its target: ids, segments [B S] and decoderIds, decoderSegments, labels, weights [B T].
   */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Summed loss in nats over trained tokens, and how many they are. */
  readonly objective: Objective;
  /** `correct`: summed weight of tokens whose most likely prediction is the label. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

export interface LanguageModellingSizes {
  readonly batch: number;
  readonly length: number;
  /** Source and target: tokens of a target's row, `length` being the source's; by default as many. */
  readonly targetLength?: number;
  /** Masked modelling: how many places of the whole batch may be trained; by default all. */
  readonly places?: number;
  /** Whether rows hold several documents or padding; otherwise `segments` and `positions` are not fed, and attention costs less. Default true. */
  readonly packed?: boolean;
  /** Whether dropout is on; its `seed` (u32 scalar) is then fed. */
  readonly training?: boolean;
}

/** The family's own objective on one batch shape. */
export function languageModelling<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, ...sizes }: LanguageModellingSizes & { readonly p: Scope },
): LanguageModelling {
  const hidden = hiddenOf(family, config, { p, ...sizes });
  const [batch, length, width] = hidden.dims("B T D");
  const flat = hidden.reshape([batch * length, width]);
  const masked = family.objective === "masked";
  const places = input("places", i32([sizes.places ?? batch * length]));
  const shape = masked ? places.shape : [batch, length];
  const labels = input("labels", i32(shape));
  const weights = input("weights", f32(shape));
  const logits = family.logits(p, masked ? flat.gather(places) : flat, config);
  const built = weighted(logits, labels, weights);
  const fed = reached({ outputs: { ...built.outputs, ...built.objective }, next: {} });
  return { inputs: Object.fromEntries(fed.map((t) => [nameOf(t), t])), ...built };
}

/** One vector for each token of a row, [B T D]; of a target's row, where there is a source. */
function hiddenOf<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, ...sizes }: LanguageModellingSizes & { readonly p: Scope },
): Tensor {
  const { batch, length, targetLength = length, packed = true, training = false } = sizes;
  const rows = (name: string, n: number) => input(name, i32([batch, n]));
  const dropout = training ? { seed: input("seed", u32([])) } : undefined;
  const source = { ids: rows("ids", length), ...(packed && { segments: rows("segments", length) }) };
  const memory = memoryOf(family, config, { p, ...source, dropout });
  if (!memory)
    return family.body(p, { ...source, ...(packed && { positions: rows("positions", length) }), dropout }, config);
  const ids = rows("decoderIds", targetLength);
  const segments = packed ? rows("decoderSegments", targetLength) : undefined;
  return family.body(p, { ids, segments, memory, dropout }, config);
}

function weighted(logits: Tensor, labels: Tensor, weights: Tensor): Pick<LanguageModelling, "objective" | "outputs"> {
  const n = [logits.shape[0]!];
  const [answer, weight] = [labels.reshape(n), weights.reshape(n)];
  const [loss] = crossEntropy(logits, answer);
  const hits = logits.argmax(1).equal(answer).cast("f32");
  return {
    objective: { sum: loss.mul(weight).sum(), count: weight.sum() },
    outputs: { correct: hits.mul(weight).sum() },
  };
}
