/** GPT's training step as the reference's gpt.py has it: the same model, loss and AdamW, and like that no norm of the gradients. */
import { i32, input, nameOf, nd, params, roots, Scope, scalar } from "../../src/ir/index.js";
import { families, gptConfig } from "../../src/models/index.js";
import { initialise } from "../../src/nn/index.js";
import { crossEntropy } from "../../src/ops/index.js";
import { adamw, training } from "../../src/optim/index.js";
import type { Net } from "./net.js";

export interface GptSizes {
  readonly batch: number;
  readonly contextLength: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabSize: number;
}

export function gpt({ batch: B, contextLength: T, ...sizes }: GptSizes): Net {
  const config = gptConfig.parse({ contextLength: T, ...sizes });
  const p = new Scope();
  const hidden = families.gpt.body(p, { ids: input("ids", i32([B, T])) }, config).reshape([B * T, sizes.hiddenSize]);
  const [loss] = crossEntropy(families.gpt.logits(p, hidden, config), input("labels", i32([B * T])));
  const rule = adamw({ beta2: 0.999, weightDecay: 0.1 });
  const { step, state } = training({ sum: loss.sum(), count: scalar(B * T) }, rule, { decays: () => true });
  const program = { outputs: { loss: step.outputs["loss"]! }, next: step.next };
  const weights = params(roots(program)).filter((t) => !state.has(nameOf(t)));
  // the predictable sequence that gpt.mjs learns
  const text = Array.from(
    { length: B * (T + 1) },
    (_, i) => (i * 7 + Math.floor(i / 13) * 3) % Math.min(sizes.vocabSize, 997),
  );
  const shifted = (by: number) =>
    Array.from({ length: B * T }, (_, i) => text[Math.floor(i / T) * (T + 1) + (i % T) + by]!);
  const data = {
    learningRate: nd("f32", [], 3e-4),
    ids: nd("i32", [B, T], shifted(0)),
    labels: nd("i32", [B * T], shifted(1)),
  };
  return { program, state: new Map([...initialise(weights, 1), ...state]), data };
}

/** Six operations for each weight and token, as gpt.mjs counts, and the attention scores. */
export function gptGigaflops({ batch: B, contextLength: T, hiddenSize: D, layers: L, vocabSize: V }: GptSizes): number {
  const weights = V * D + L * (12 * D * D + 13 * D) + 2 * D;
  return (6 * weights * B * T + 12 * L * T * D * B * T) / 1e9;
}
