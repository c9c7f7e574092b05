/**
 * A classification step of an encoder of MiniLM's shape, as the reference's encoder.py has it: mean pooling, cross-entropy, gradients
 * clipped, AdamW; with a rank, LoRA on query and value, the body frozen.
 */
import { adapt, methods } from "../../src/adapt/index.js";
import { nameOf, nd, params, roots, Scope } from "../../src/ir/index.js";
import { families } from "../../src/models/index.js";
import { initialise } from "../../src/nn/index.js";
import { adamw, training } from "../../src/optim/index.js";
import { textClassification } from "../../src/tasks/index.js";
import { integers, type Net } from "./net.js";

export interface EncoderSizes {
  readonly batch: number;
  readonly length: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabSize: number;
  readonly classes: number;
  /** LoRA's; absent, everything learns. */
  readonly rank?: number;
}

export function encoder({ batch: B, length: T, classes, rank, ...sizes }: EncoderSizes): Net {
  const config = families.bert.config.parse({ contextLength: 512, ...sizes });
  const p = new Scope();
  const { objective } = textClassification(families.bert, config, { p, batch: B, length: T, classes, pooling: "mean" });
  const whole = [objective.sum, objective.count];
  const choice = { head: ["classifier"], rank, select: ["query", "value"] };
  const learning = rank === undefined ? whole : adapt(whole, methods.lora.adaptation(whole, choice));
  const [sum, count] = learning as [typeof objective.sum, typeof objective.count];
  const rule = adamw({ beta2: 0.999, weightDecay: 0.01 });
  const { step, state } = training({ sum, count }, rule, { clip: 1, decays: () => true });
  const weights = params(roots(step)).filter((t) => !state.has(nameOf(t)));
  const data = {
    learningRate: nd("f32", [], 1e-4),
    ids: nd("i32", [B, T], integers(B * T, sizes.vocabSize)),
    segments: nd("i32", [B, T], 1),
    labels: nd("i32", [B], integers(B, classes)),
    weights: nd("f32", [B], 1),
  };
  return { program: step, state: new Map([...initialise(weights, 1), ...state]), data };
}

/** Six operations for each weight of the blocks and token, four where the weight is frozen, and the attention scores. */
export function encoderGigaflops({ batch: B, length: T, hiddenSize: D, layers: L, rank }: EncoderSizes): number {
  const weights = L * 12 * D * D;
  const learnt = rank === undefined ? weights : L * 4 * D * rank;
  return ((4 * weights + 2 * learnt) * B * T + 12 * L * T * D * B * T) / 1e9;
}
