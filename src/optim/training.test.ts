import { expect, test } from "vitest";
import {
  type Exact,
  evaluate,
  exact,
  f32,
  i32,
  initOf,
  input,
  type Nd,
  nameOf,
  type Program,
  param,
  params,
  print,
  type Tensor,
} from "../ir/index.js";
import { crossEntropy } from "../ops/index.js";
import { adamw, type Rule, rules, sgd, type Training, training } from "./index.js";

const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};
const uniform = (shape: readonly number[], r: () => number) =>
  new Float32Array(shape.reduce((a, b) => a * b, 1)).map(() => r() - 0.5);
const one = (x: number): Exact => ({ shape: [], data: Float64Array.of(x) });

/** A two-layer classifier of rows: x [n 4] to 3 classes, summed over rows of weight 1. */
function model(n: number) {
  const w1 = param("first.weight", [4, 8], uniform);
  const b1 = param("first.bias", [8], uniform);
  const w2 = param("second.weight", [8, 3], uniform);
  const weights = input("weights", f32([n]));
  const logits = input("x", f32([n, 4]))
    .matmul(w1)
    .add(b1)
    .tanh()
    .matmul(w2);
  const [losses] = crossEntropy(logits, input("labels", i32([n])));
  return { sum: losses.mul(weights).sum(), count: weights.sum() };
}

/** Rows whose class is the largest of their first three numbers; every fifth is not trained on. */
function rows(from: number, n: number): [string, Exact][] {
  const x = Array.from({ length: n }, (_, i) => [...uniform([4], random(from + i + 1))].map((v) => 4 * v));
  const labels = x.map((r) => r.slice(0, 3).indexOf(Math.max(...r.slice(0, 3))));
  return [
    ["x", { shape: [n, 4], data: Float64Array.from(x.flat()) }],
    ["labels", { shape: [n], data: Float64Array.from(labels) }],
    ["weights", { shape: [n], data: Float64Array.from(x, (_, i) => ((from + i) % 5 === 0 ? 0 : 1)) }],
  ];
}

type Values = Map<string, Exact>;
const first = (t: Training, roots: readonly Tensor[]): Values =>
  new Map<string, Exact>([
    ...params(roots).map((p): [string, Exact] => [
      nameOf(p),
      { shape: p.shape, data: Float64Array.from(initOf(p)(p.shape, random(7))) },
    ]),
    ...[...t.state, ...t.accumulators].map(([n, v]: [string, Nd]): [string, Exact] => [n, exact(v)]),
  ]);
function run(p: Program, state: Values, feeds: readonly [string, Exact][]): Record<string, Exact> {
  const names = [...Object.keys(p.outputs), ...Object.keys(p.next)];
  const results = evaluate([...Object.values(p.outputs), ...Object.values(p.next)], new Map([...state, ...feeds]));
  const outputs = Object.keys(p.outputs).length;
  for (let i = outputs; i < names.length; i++) state.set(names[i]!, results[i]!);
  return Object.fromEntries(names.slice(0, outputs).map((n, i) => [n, results[i]!]));
}
const clock = (step: number): [string, Exact][] => [
  ["learningRate", one(0.05)],
  ["step", one(step)],
];

test.each(Object.entries(rules))("a two-layer model learns with %s", (name, make) => {
  const rule: Rule = make({});
  const objective = model(16);
  const t = training(objective, rule, { clip: 1 });
  const state = first(t, Object.values(objective));
  const losses: number[] = [];
  const learningRate = name === "lion" ? 0.01 : name === "sgd" ? 0.1 : 0.05;
  for (let step = 1; step <= 60; step++)
    losses.push(
      run(t.step, state, [...rows(0, 16), ["learningRate", one(learningRate)], ["step", one(step)]])["loss"]!.data[0]!,
    );
  expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.4);
});

test("eight parts of one row and one part of eight rows give the same weights, however many rows count", () => {
  const options = { clip: 0.1, ema: 0.9 };
  const whole = training(model(8), adamw(), options);
  const part = training(model(1), adamw(), options);
  const [a, b] = [first(whole, Object.values(model(8))), first(part, Object.values(model(1)))];
  for (let step = 1; step <= 3; step++) {
    const at = step * 8;
    const one = run(whole.step, a, [...rows(at, 8), ...clock(step)]);
    for (let i = 0; i < 8; i++) run(part.accumulate, b, rows(at + i, 1));
    const eight = run(part.apply, b, clock(step));
    expect(eight["count"]!.data[0]).toBe(one["count"]!.data[0]);
    // float64 on both sides: the order of the sums is all that differs
    for (const name of ["loss", "gradientNorm"]) expect(eight[name]!.data[0]).toBeCloseTo(one[name]!.data[0]!, 12);
  }
  for (const name of [...whole.weights, ...whole.state.keys()])
    a.get(name)!.data.forEach((x, i) => {
      expect(Math.abs(x - b.get(name)!.data[i]!)).toBeLessThan(1e-12);
    });
  for (const name of part.accumulators.keys()) expect(b.get(name)!.data.every((x) => x === 0)).toBe(true);
});

test("a part without a trained row adds nothing and is no error", () => {
  const t = training(model(1), sgd());
  const state = first(t, Object.values(model(1)));
  const { loss, count } = run(t.accumulate, state, rows(5, 1));
  expect([loss!.data[0], count!.data[0], state.get("accumulation.count")!.data[0]]).toEqual([0, 0, 0]);
});

test("clipping scales all gradients together to the given norm, and reports the norm before", () => {
  const clipped = training(model(8), sgd({ momentum: 0 }), { clip: 0.01 });
  const free = training(model(8), sgd({ momentum: 0 }));
  const [a, b] = [first(clipped, Object.values(model(8))), first(free, Object.values(model(8)))];
  const before = new Map(a);
  const [x, y] = [run(clipped.step, a, [...rows(0, 8), ...clock(1)]), run(free.step, b, [...rows(0, 8), ...clock(1)])];
  expect(x["gradientNorm"]!.data[0]).toBe(y["gradientNorm"]!.data[0]);
  const moved = (after: Values) =>
    Math.hypot(...clipped.weights.flatMap((n) => [...after.get(n)!.data].map((v, i) => v - before.get(n)!.data[i]!)));
  expect(moved(b)).toBeCloseTo(0.05 * y["gradientNorm"]!.data[0]!, 10);
  expect(moved(a)).toBeCloseTo(0.05 * 0.01, 6);
  expect(Math.hypot(...x["gradientNorms"]!.data)).toBeCloseTo(x["gradientNorm"]!.data[0]!, 12);
});

test("the mean of the weights is the exponential mean of those after each step, corrected for its start", () => {
  const t = training(model(8), sgd(), { ema: 0.8 });
  const state = first(t, Object.values(model(8)));
  let [top, bottom] = [0, 0];
  for (let step = 1; step <= 5; step++) {
    run(t.step, state, [...rows(0, 8), ...clock(step)]);
    top = 0.8 * top + 0.2 * state.get("first.bias")!.data[3]!;
    bottom = 0.8 * bottom + 0.2;
    expect(state.get("ema.first.bias")!.data[3]).toBeCloseTo(top / bottom, 12);
  }
});

test("a frozen parameter has no gradient, no place in the optimiser and no mean", () => {
  const w1 = param("first.weight", [4, 8], uniform);
  const w2 = param("second.weight", [8, 3], uniform);
  const y = input("x", f32([2, 4]))
    .matmul(w1.detach())
    .tanh()
    .matmul(w2);
  const t = training({ sum: y.square().sum(), count: input("count", f32([])) }, adamw(), { ema: 0.9 });
  expect(t.trainable.map(nameOf)).toEqual(["second.weight"]);
  expect(t.weights).toEqual(["first.weight", "second.weight"]);
  expect([...t.state.keys()]).toEqual(["optimizer.second.weight.m", "optimizer.second.weight.v", "ema.second.weight"]);
  expect([...t.accumulators.keys()]).toEqual(["accumulated.second.weight", "accumulation.sum", "accumulation.count"]);
  expect(Object.keys(t.step.next)).not.toContain("first.weight");
  // of its shape there is the weight itself and the mark that it is frozen
  expect(print(t.step).match(/^.*f32\[4,8\]$/gm)).toHaveLength(2);
});

test("a clipped step of adamw costs an element twelve operations, and learning rate and step are fed", () => {
  const w = param("w", [5, 7], uniform);
  const t = training({ sum: w.mul(input("g", f32([5, 7]))).sum(), count: input("count", f32([])) }, adamw(), {
    clip: 1,
  });
  const text = print(t.apply);
  // w keep - a m' / (√v' + e): 1 scales the gradient, m' takes 2, v' 3, the step 6; the 13th is the norm's square
  expect(text.match(/^%.*f32\[5,7\]$/gm)).toHaveLength(13);
  expect(text).toContain("input learningRate: f32[]");
  expect(text).toContain("input step: f32[]");
});

test("what cannot be trained is refused", () => {
  const frozen = param("w", [2, 2], uniform).detach().sum();
  const count = input("count", f32([]));
  expect(() => training({ sum: frozen, count }, adamw())).toThrow("nothing to train: every parameter is frozen");
  const w = param("w", [2, 2], uniform);
  expect(() => training({ sum: w, count }, adamw())).toThrow("training needs a sum and a count, got a shape of [2,2]");
  expect(() => training({ sum: w.sum(), count }, adamw(), { clip: 0 })).toThrow("clip is 0, outside");
  const named = param("ema.w", [2], uniform);
  expect(() => training({ sum: named.sum(), count }, adamw())).toThrow("parameter ema.w has the name of a state");
});
