/** A small GPT's training step and a batch for it: what the native engine's tests run. */
import { i32, input, type Nd, nameOf, nd, type Program, params, roots, Scope, scalar } from "../../src/ir/index.js";
import { families, gptConfig } from "../../src/models/index.js";
import { initialise } from "../../src/nn/index.js";
import { crossEntropy } from "../../src/ops/index.js";
import { adamw, training } from "../../src/optim/index.js";

export const [batch, length, vocabulary] = [3, 40, 61];

/** Two layers of 48 with three heads: no size is a multiple of a vector. */
export function step(): { readonly program: Program; readonly state: ReadonlyMap<string, Nd> } {
  const config = gptConfig.parse({
    vocabSize: vocabulary,
    contextLength: length,
    layers: 2,
    heads: 3,
    hiddenSize: 48,
  });
  const p = new Scope();
  const n = batch * length;
  const hidden = families.gpt.body(p, { ids: input("ids", i32([batch, length])) }, config).reshape([n, 48]);
  const [loss] = crossEntropy(families.gpt.logits(p, hidden, config), input("labels", i32([n])));
  const { step: program, state } = training({ sum: loss.sum(), count: scalar(n) }, adamw(), { clip: 1 });
  const weights = params(roots(program)).filter((t) => !state.has(nameOf(t)));
  return { program, state: new Map([...initialise(weights, 1), ...state]) };
}

/** Step `i` of a text that can be learnt. */
export function feeds(i: number): Record<string, Nd> {
  const text = (at: number) => (at * 7 + Math.floor(at / 13) * 3 + i) % vocabulary;
  const rows = (by: number) => Array.from({ length: batch * length }, (_, at) => text(at + by));
  return {
    ids: nd("i32", [batch, length], rows(0)),
    labels: nd("i32", [batch * length], rows(1)),
    learningRate: nd("f32", [], 1e-3),
    step: nd("f32", [], i),
  };
}
