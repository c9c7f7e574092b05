import { expect, test } from "vitest";
import { f32, i32, input, type Nd, nd, param, params, type Tensor } from "../ir/index.js";
import { initialise, normal, zeros } from "../nn/index.js";
import { crossEntropy } from "../ops/index.js";
import { chooseEngine, engines, type Session } from "../runtime/index.js";
import { adamw, type Rule, rules, type Training, training } from "./index.js";

/** A two-layer classifier of rows [n 6] in 3 classes. */
function model(n: number) {
  const hidden = input("x", f32([n, 6])).matmul(param("first.weight", [6, 16], normal(0.4)));
  const y = hidden
    .add(param("first.bias", [16], zeros))
    .tanh()
    .matmul(param("second.weight", [16, 3], normal(0.3)));
  const weights = input("weights", f32([n]));
  return {
    sum: crossEntropy(y, input("labels", i32([n])))[0]
      .mul(weights)
      .sum(),
    count: weights.sum(),
  };
}
const rows = (from: number, n: number): Record<string, Nd> => {
  const at = (f: (i: number) => number, size = 1) => Array.from({ length: n * size }, (_, i) => f(from * size + i));
  return {
    x: nd(
      "f32",
      [n, 6],
      at((i) => Math.sin(i * i), 6),
    ),
    labels: nd(
      "i32",
      [n],
      at((i) => i % 3),
    ),
    weights: nd(
      "f32",
      [n],
      at((i) => (i % 5 ? 1 : 0)),
    ),
  };
};
const clock = (step: number): Record<string, Nd> => ({
  learningRate: nd("f32", [], 0.01),
  step: nd("f32", [], step),
});
const first = ({ sum }: { sum: Tensor }, ...trainings: Training[]) =>
  new Map([...initialise(params([sum]), 1), ...trainings.flatMap((t) => [...t.state, ...t.accumulators])]);
const far = (a: Nd, b: Nd): number => {
  const size = Math.max(...(a.data as Float32Array).map(Math.abs), 1e-3);
  return Math.max(...(a.data as Float32Array).map((x, i) => Math.abs(x - Number(b.data[i])))) / size;
};

test.each(Object.entries(rules))(
  "eight steps of %s move the weights on an engine as they do in float64",
  async (_, make) => {
    const rule: Rule = make({});
    const t = training(model(8), rule, { clip: 0.5, ema: 0.9 });
    const start = first(model(8), t);
    await using fast = await (await chooseEngine("ort")).open(start, { threads: 1 });
    await using exact = await engines.reference.open(start);
    for (let step = 1; step <= 8; step++) {
      const [a, b] = await Promise.all([fast, exact].map((s) => s.run(t.step, { ...rows(step, 8), ...clock(step) })));
      for (const name of Object.keys(a!)) expect(far(a![name]!, b![name]!)).toBeLessThan(1e-4);
    }
    // single precision keeps 6e-8; eight steps of twenty roundings each, and Muon's polynomial multiplies an error by up to 3.4 five times
    for (const name of [...t.weights, ...t.state.keys()])
      expect([name, far(await fast.read(name), await exact.read(name)) < 1e-4]).toEqual([name, true]);
  },
);

test("on an engine too, one batch of eight rows and eight of one row give the same weights to rounding", async () => {
  const whole = training(model(8), adamw(), { clip: 0.1 });
  const part = training(model(1), adamw(), { clip: 0.1 });
  const engine = await chooseEngine("ort");
  await using a = await engine.open(first(model(8), whole), { threads: 1 });
  await using b = await engine.open(first(model(8), part), { threads: 1 });
  const eight = async (s: Session, step: number) => {
    for (let i = 0; i < 8; i++) await s.run(part.accumulate, rows(step * 8 + i, 1));
    return s.run(part.apply, clock(step));
  };
  for (let step = 1; step <= 4; step++) {
    const one = await a.run(whole.step, { ...rows(step * 8, 8), ...clock(step) });
    const sums = await eight(b, step);
    for (const name of ["loss", "count", "gradientNorm"]) expect(far(one[name]!, sums[name]!)).toBeLessThan(1e-6);
  }
  // the sums of eight rows are rounded in another order; AdamW divides by their root, which keeps the relative error
  for (const name of whole.weights) expect(far(await a.read(name), await b.read(name))).toBeLessThan(2e-6);
});

test("weights and their mean are exchanged, and exchanged back", async () => {
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    const t = training(model(8), adamw(), { ema: 0.5 });
    await using session = await engine.open(first(model(8), t), { threads: 1 });
    for (let step = 1; step <= 3; step++) await session.run(t.step, { ...rows(step, 8), ...clock(step) });
    const read = async () => [(await session.read("first.weight")).data, (await session.read("ema.first.weight")).data];
    const [weight, mean] = await read();
    expect(weight).not.toEqual(mean);
    await session.run(t.swap, {});
    expect(await read()).toEqual([mean, weight]);
    await session.run(t.swap, {});
    expect(await read()).toEqual([weight, mean]);
  }
});
