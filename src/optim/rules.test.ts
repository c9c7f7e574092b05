import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Exact, evaluate, f32, input, param, type Tensor } from "../ir/index.js";
import { adamw, lion, muon, type Rule, rules, sgd, training } from "./index.js";
import { oneLessPower } from "./rule.js";

interface Case {
  readonly rule: keyof typeof rules;
  readonly options: Record<string, never>;
  readonly training: { readonly clip?: number };
  readonly end: Record<string, number[]>;
}
interface Fixture {
  readonly learningRate: number;
  readonly shapes: Record<string, number[]>;
  readonly start: Record<string, number[]>;
  readonly gradients: Record<string, number[]>[];
  readonly cases: Case[];
}
const fixture: Fixture = JSON.parse(readFileSync(new URL("fixtures/rules.json", import.meta.url), "utf8"));
const value = (shape: readonly number[], data: ArrayLike<number>): Exact => ({ shape, data: Float64Array.from(data) });

/** Five steps on parameters whose gradients are given: the loss is Σ w · g. */
function follow(rule: Rule, names: string[], options: { readonly clip?: number }): Map<string, Exact> {
  const { shapes, start, gradients, learningRate } = fixture;
  const products = names.map((n) =>
    param(n, shapes[n]!, () => new Float32Array()).mul(input(`g.${n}`, f32(shapes[n]!))),
  );
  const sum = products.map((p) => p.sum()).reduce((a, b) => a.add(b));
  const { step, state } = training({ sum, count: input("count", f32([])) }, rule, options);
  const now = new Map<string, Exact>([
    ...names.map((n): [string, Exact] => [n, value(shapes[n]!, start[n]!)]),
    ...[...state].map(([n, v]): [string, Exact] => [n, value(v.shape, v.data as Float32Array)]),
    ["learningRate", value([], [learningRate])],
    ["count", value([], [1])],
  ]);
  gradients.forEach((g, i) => {
    now.set("step", value([], [i + 1]));
    for (const n of names) now.set(`g.${n}`, value(shapes[n]!, g[n]!));
    const results = evaluate(Object.values(step.next), now);
    Object.keys(step.next).forEach((n, k) => {
      now.set(n, results[k]!);
    });
  });
  return now;
}

test.each(fixture.cases)(
  "five steps of $rule with $options, $training end where PyTorch's do",
  ({ rule, options, training: o, end }) => {
    const names = Object.keys(end);
    const after = follow(rules[rule](options), names, o);
    // both sides are float64: what is left is the order of rounding over five steps
    for (const n of names)
      after.get(n)!.data.forEach((x, i) => {
        expect(Math.abs(x - end[n]![i]!)).toBeLessThan(1e-12);
      });
  },
);

test("muon leaves what is not a hidden matrix to adamw", () => {
  const rule = muon({ others: adamw() });
  const state = (name: string, shape: number[]) => rule.state(param(name, shape, () => new Float32Array()));
  expect(state("h.0.attn.c_attn.weight", [4, 12])).toEqual(["momentum"]);
  expect(state("h.0.attn.c_attn.bias", [12])).toEqual(["m", "v"]);
  expect(state("wte.weight", [9, 4])).toEqual(["m", "v"]);
  expect(state("model.embed_tokens.weight", [9, 4])).toEqual(["m", "v"]);
  expect(state("bert.embeddings.word_embeddings.weight", [9, 4])).toEqual(["m", "v"]);
  expect(state("classifier.weight", [3, 4])).toEqual(["m", "v"]);
});

test("one less a power is exact in single precision where the power is close to one", () => {
  const f = Math.fround;
  const inSingle = (t: Tensor, step: number): number => {
    const run = (x: Tensor): number => {
      if (!x.inputs.length) return x.op.name === "input" ? step : f((x.attrs as { data: number }).data);
      return f(
        (
          x.op.ref!(
            x.inputs.map((y) => value([], [run(y)])),
            x.attrs,
            [x.type],
          ) as Float64Array
        )[0]!,
      );
    };
    return run(t);
  };
  const power = oneLessPower(0.999, input("step", f32([])));
  for (const step of [1, 2, 10, 1000, 100_000]) {
    const want = -Math.expm1(step * Math.log(0.999));
    expect(Math.abs(inSingle(power, step) / want - 1)).toBeLessThan(3e-7);
  }
});

test("options out of range are refused", () => {
  expect(() => adamw({ beta2: 1 })).toThrow("beta2 is 1, outside [0, 1)");
  expect(() => sgd({ momentum: -0.1 })).toThrow("momentum is -0.1, outside [0, 1)");
  expect(() => lion({ weightDecay: Number.NaN })).toThrow("weightDecay is NaN, outside [0, Infinity)");
});
