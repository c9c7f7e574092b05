import { expect, test } from "vitest";
import {
  type Exact,
  evaluate,
  exact,
  f32,
  i32,
  input,
  type Nd,
  nameOf,
  nd,
  params,
  print,
  Scope,
  size,
  type Tensor,
  trainable,
} from "../ir/index.js";
import { type AnyFamily, families, read } from "../models/index.js";
import { initialise, linear } from "../nn/index.js";
import { crossEntropy } from "../ops/index.js";
import { adamw, training } from "../optim/index.js";
import { flops, splitLowRank } from "../passes/index.js";
import { adapt, lora, matrices, merge, mergeProgram, methods, requireSame, targets } from "./index.js";

const sizes = { vocabSize: 19, contextLength: 8, layers: 2, heads: 2, hiddenSize: 8 };
const [B, T, classes] = [3, 6, 4];

/** A classifier of rows of ids on a family's body. */
function classifier(family: AnyFamily) {
  const c = family.config.parse(sizes);
  const p = new Scope();
  const segments = input("segments", i32([B, T]));
  const hidden = read(family, c, { p, ids: input("ids", i32([B, T])), segments });
  const pooled = family.pooled(p, hidden, { segments, pooling: "mean" }, c);
  const logits = linear(p.at("classifier"), pooled, classes);
  const sum = crossEntropy(logits, input("labels", i32([B])))[0].sum();
  return { logits, sum, count: input("count", f32([])) };
}
const feeds: [string, Nd][] = [
  [
    "ids",
    nd(
      "i32",
      [B, T],
      Array.from({ length: B * T }, (_, i) => (5 * i) % 19),
    ),
  ],
  [
    "segments",
    nd(
      "i32",
      [B, T],
      Array.from({ length: B * T }, (_, i) => (i % 7 === 6 ? 0 : 1)),
    ),
  ],
  ["labels", nd("i32", [B], [0, 3, 1])],
  ["count", nd("f32", [], B)],
  ["learningRate", nd("f32", [], 0.02)],
];
type State = Map<string, Nd>;
const value = (roots: readonly Tensor[], state: ReadonlyMap<string, Nd>) =>
  evaluate(roots, new Map([...state, ...feeds].map(([n, v]): [string, Exact] => [n, exact(v)])));
const total = (xs: readonly Tensor[]) => xs.reduce((n, t) => n + size(t.shape), 0);

/** The state after `steps` of AdamW, and the loss of each. */
function follow([sum, count]: readonly Tensor[], state: State, steps: number): number[] {
  const t = training({ sum: sum!, count: count! }, adamw());
  for (const [n, v] of t.state) state.set(n, v);
  const names = Object.keys(t.step.next);
  return Array.from({ length: steps }, (_, i) => {
    const results = value(
      [t.step.outputs["loss"]!, ...Object.values(t.step.next)],
      state.set("step", nd("f32", [], i + 1)),
    );
    names.forEach((n, k) => {
      state.set(n, nd("f32", results[k + 1]!.shape, results[k + 1]!.data));
    });
    return results[0]!.data[0]!;
  });
}

const both = Object.entries(families) as [string, AnyFamily][];

test("each family's matrices are found with the layout of its public checkpoint", () => {
  const [gpt, bert] = [families.gpt, families.bert].map((f) => matrices([classifier(f as AnyFamily).logits]));
  expect(gpt!.get("h.0.attn.c_attn.weight")).toBe("in-out");
  expect(bert!.get("bert.encoder.layer.1.attention.self.query.weight")).toBe("out-in");
  expect(bert!.get("classifier.weight")).toBe("out-in");
  for (const found of [gpt!, bert!])
    expect([...found.keys()].filter((n) => /wte|wpe|embeddings|bias|ln|Norm/.test(n))).toEqual([]);
});

test.each(both)("%s: LoRA starts at its base, learns, and only its own parameters and the head do", (_, family) => {
  const { logits, sum, count } = classifier(family);
  const adaptation = methods.lora.adaptation([logits], { head: ["classifier"], rank: 2 });
  const [slow, slowSum] = adapt([logits, sum], adaptation);
  const [fast, fastSum] = splitLowRank([slow!, slowSum!]);
  const state = initialise(params([fast!]), 1);

  const learning = trainable([fastSum!]);
  expect(learning.every((t) => /\.lora_[ab]$|^classifier\./.test(nameOf(t)))).toBe(true);
  expect(total(learning)).toBeLessThan(total(params([logits])));
  for (const [n, v] of state) if (n.endsWith("lora_b")) expect(v.data.every((x) => x === 0)).toBe(true);

  const [base, start] = value([logits, fast!], state);
  expect(start!.data).toEqual(base!.data);
  const losses = follow([fastSum!, count], state, 12);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.8);
  const [slowly, quickly] = value([slow!, fast!], state);
  // float64: the two differ in the order of their sums
  slowly!.data.forEach((x, i) => {
    expect(Math.abs(x - quickly!.data[i]!)).toBeLessThan(1e-12);
  });
});

test.each(both)("%s: merging is running the same expression, and the merged model answers the same", (_, family) => {
  const { logits, sum, count } = classifier(family);
  const adaptation = methods.lora.adaptation([logits], { head: ["classifier"], rank: 2 });
  const [adapted, adaptedSum] = splitLowRank(adapt([logits, sum], adaptation));
  const state: State = initialise(params([adapted!]), 2);
  const untouched = new Map(state);
  follow([adaptedSum!, count], state, 5);

  const weights = params([logits]);
  const merged = merge(weights, adaptation, state);
  expect([...merged.keys()]).toEqual(weights.map(nameOf));
  const answers = (root: Tensor, values: ReadonlyMap<string, Nd>): Nd => {
    const [y] = value([root], values);
    return nd("f32", y!.shape, y!.data);
  };
  const before = answers(adapted!, state);
  // the merged weights are rounded to single precision once
  expect(requireSame(before, answers(logits, merged), { tolerance: 1e-6 })).toBeLessThan(1e-6);
  expect(() => requireSame(before, answers(logits, untouched))).toThrow(/^the merged model answers differently: by/);

  const program = mergeProgram(weights, adaptation);
  const results = value(Object.values(program.next), state);
  Object.keys(program.next).forEach((name, i) => {
    expect(nd("f32", results[i]!.shape, results[i]!.data).data).toEqual(merged.get(name)!.data);
  });
  expect(Object.keys(program.next)).toEqual([...matrices([logits]).keys()].filter((n) => !n.startsWith("classifier")));
  for (const name of merged.keys()) if (!(name in program.next)) expect(merged.get(name)).toBe(state.get(name));
});

test.each(both)(
  "%s: a step of LoRA forms nothing of the size of a frozen matrix, and costs less than a full one",
  (_, family) => {
    const { logits, sum, count } = classifier(family);
    const options = { head: ["classifier"], rank: 2 };
    const step = (s: Tensor) => training({ sum: s, count }, adamw()).step;
    const [adapted] = adapt([sum], methods.lora.adaptation([logits], options));
    const [fast] = splitLowRank([adapted!]);
    const shapes = [...targets([logits], { except: (n) => n.startsWith("classifier") }).keys()].map(
      (name) => params([logits]).find((t) => nameOf(t) === name)!.shape,
    );
    const products = [...print(step(fast!)).matchAll(/= matmul\(.*\) f32\[(\d+),(\d+)\]$/gm)].map(
      (m) => `${m[1]},${m[2]}`,
    );
    // 8 by 8 is also the size of small products: only the others tell
    const big = shapes.filter(([m, n]) => m !== n).flatMap(([m, n]) => [`${m},${n}`, `${n},${m}`]);
    expect(big.length).toBeGreaterThan(0);
    expect(products.filter((s) => big.includes(s))).toEqual([]);
    expect(flops(step(fast!))).toBeLessThan(flops(step(adapted!)));
    expect(flops(step(fast!))).toBeLessThan(flops(step(sum)));
  },
);

test("targets that match nothing are refused with the nearest names", () => {
  const { logits } = classifier(families.gpt as AnyFamily);
  const wrong = () => methods.lora.adaptation([logits], { head: ["classifier"], select: ["attn.c_atn"] });
  expect(wrong).toThrow("no matrix matches attn.c_atn\n  help: nearest: h.*.attn.c_attn.weight");
  expect(() => methods.lora.adaptation([logits], { head: ["clasifier"] })).toThrow(
    "no parameter matches clasifier\n  help: nearest: classifier.weight, classifier.bias",
  );
  expect(() => methods.lora.adaptation([logits], { head: [], select: ["wte"] })).toThrow("no matrix matches wte");
  expect(() => methods.head.adaptation([logits], { head: [] })).toThrow("the task adds no head to train");
});

test("a rank that makes no sense is refused", () => {
  const { logits } = classifier(families.bert as AnyFamily);
  const found = targets([logits]);
  expect(() => lora({ rank: 0, targets: found })).toThrow("LoRA's rank is 0");
  expect(() => lora({ rank: 2, alpha: -1, targets: found })).toThrow("LoRA's alpha is -1");
  expect(() => adapt([logits], lora({ rank: 8, targets: found }))).toThrow(
    /^LoRA of rank 8 on a matrix \[8,8\]\n {2}at bert\.encoder\.layer\.0\.attention/,
  );
});
