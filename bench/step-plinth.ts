/** One side of bench/step: a GPT training step by plinth on the ort engine; sizes as arguments, times as JSON. */
import { i32, input, type Nd, nameOf, nd, type Program, params, roots, Scope, scalar } from "../src/ir/index.js";
import { families, gptConfig } from "../src/models/index.js";
import { initialise } from "../src/nn/index.js";
import { crossEntropy } from "../src/ops/index.js";
import { adamw, training } from "../src/optim/index.js";
import { ort } from "../src/runtime/index.js";

const [sizes = "4,256,384,6,6,4096", steps = "12", threads = "2"] = process.argv.slice(2);
const [B, T, D, L, H, V] = sizes.split(",").map(Number) as [number, number, number, number, number, number];

/** The step of gpt.mjs: the same model, loss and AdamW; plinth also reports the norm of every gradient. */
function step(): { program: Program; state: ReadonlyMap<string, Nd> } {
  const config = gptConfig.parse({ vocabSize: V, contextLength: T, layers: L, heads: H, hiddenSize: D });
  const p = new Scope();
  const hidden = families.gpt.body(p, { ids: input("ids", i32([B, T])) }, config).reshape([B * T, D]);
  const [loss] = crossEntropy(families.gpt.logits(p, hidden, config), input("labels", i32([B * T])));
  const rule = adamw({ beta2: 0.999, weightDecay: 0.1 });
  const { step, state } = training({ sum: loss.sum(), count: scalar(B * T) }, rule, { decays: () => true });
  const weights = params(roots(step)).filter((t) => !state.has(nameOf(t)));
  return { program: step, state: new Map([...initialise(weights, 1), ...state]) };
}

/** The predictable sequence that gpt.mjs learns. */
function batch(): Record<string, Nd> {
  const text = Array.from({ length: B * (T + 1) }, (_, i) => (i * 7 + Math.floor(i / 13) * 3) % Math.min(V, 997));
  const shifted = (by: number) =>
    Array.from({ length: B * T }, (_, i) => text[Math.floor(i / T) * (T + 1) + (i % T) + by]!);
  return { ids: nd("i32", [B, T], shifted(0)), labels: nd("i32", [B * T], shifted(1)) };
}

const { program, state } = step();
const data = batch();
await using session = await ort.open(state, { threads: Number(threads) });
const times: number[] = [];
let loss = 0;
for (let i = 1; i <= Number(steps); i++) {
  const clock = { learningRate: nd("f32", [], 3e-4), step: nd("f32", [], i) };
  const start = performance.now();
  const outputs = await session.run(program, { ...data, ...clock });
  times.push(performance.now() - start);
  loss = outputs["loss"]!.data[0] as number;
}
// the steps that gpt.mjs prints
const shown = times.filter((_, i) => i < 3 || i % 4 === 3);
times.sort((a, b) => a - b);
const fastest = Math.min(...shown);
console.log(
  JSON.stringify({
    median: times[times.length >> 1],
    fastest,
    loss,
    memoryMB: Math.round(process.memoryUsage().rss / 1e6),
  }),
);
