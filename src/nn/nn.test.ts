import { expect, test } from "vitest";
import {
  constant,
  type Exact,
  evaluate,
  exact,
  f32,
  i32,
  input,
  nd,
  param,
  params,
  Scope,
  type Tensor,
  u32,
} from "../ir/index.js";
import {
  attend,
  attentionMask,
  batchNorm,
  dropout,
  initialise,
  linear,
  normal,
  ones,
  randomStream,
  residual,
  rmsNorm,
  rowPositions,
  splitFused,
  splitHeads,
  streamOf,
  zeros,
} from "./index.js";

const values = (t: Tensor, feeds: Record<string, Exact> = {}): number[] => [
  ...evaluate([t], new Map(Object.entries(feeds)))[0]!.data,
];
const count = (n: number) => Array.from({ length: n }, (_, i) => i);

test("adding a parameter does not change how the others start, and a seed changes all of them", () => {
  const named = (name: string) => param(name, [50], normal(1));
  const [a, b, c] = [named("a"), named("b"), named("c")];
  const two = initialise([a, b], 1);
  const three = initialise([c, b, a], 1);
  expect(three.get("a")).toEqual(two.get("a"));
  expect(three.get("b")).toEqual(two.get("b"));
  expect(two.get("a")).not.toEqual(two.get("b"));
  expect(initialise([a], 2).get("a")).not.toEqual(two.get("a"));
  expect(Array.from(exact(initialise([a], 1).get("a")!).data.slice(0, 3), (x) => x.toFixed(4))).toMatchInlineSnapshot(`
    [
      "-1.9812",
      "-0.4870",
      "-0.1423",
    ]
  `);
});

test("first values have the mean and the deviation they were asked for", () => {
  const drawn = (init: ReturnType<typeof normal>) => initialise([param("w", [20_001], init)], 3).get("w")!.data;
  for (const [init, deviation] of [
    [normal(0.02), 0.02],
    [residual(0.02, 8), 0.005],
    [zeros, 0],
  ] as const) {
    const data = Float64Array.from(drawn(init) as Float32Array);
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    const spread = Math.sqrt(data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length);
    expect(Math.abs(mean)).toBeLessThanOrEqual(deviation / 40);
    expect(Math.abs(spread - deviation)).toBeLessThanOrEqual(deviation / 40);
  }
  expect(drawn(ones).every((x) => x === 1)).toBe(true);
});

test("streams of neighbouring seeds and names are not correlated", () => {
  const draw = (seed: number, name: string) => {
    const random = randomStream(seed, name);
    return count(4000).map(() => random() - 0.5);
  };
  const streams = [draw(1, "h.0.w"), draw(2, "h.0.w"), draw(1, "h.1.w"), draw(1, "h.0.b"), draw(0, "h.0.w")];
  for (const [i, a] of streams.entries())
    for (const b of streams.slice(i + 1)) {
      const correlation = (12 * a.reduce((sum, x, k) => sum + x * b[k]!, 0)) / a.length;
      // five standard deviations
      expect(Math.abs(correlation)).toBeLessThan(5 / Math.sqrt(4000));
    }
});

test("a linear map stored [in, out] is the one stored [out, in], transposed", () => {
  const x = constant([1, 2, 3], f32([1, 3]));
  const w = [1, 2, 3, 4, 5, 6];
  const turned = [1, 4, 2, 5, 3, 6];
  const run = (layout: "in-out" | "out-in", weight: number[], shape: number[]) =>
    values(linear(new Scope(), x, 2, { layout }), {
      weight: exact(nd("f32", shape, weight)),
      bias: exact(nd("f32", [2], [10, 20])),
    });
  expect(run("out-in", w, [2, 3])).toEqual([24, 52]);
  expect(run("in-out", turned, [3, 2])).toEqual([24, 52]);
  expect(params([linear(new Scope(), x, 2, { bias: false })])).toHaveLength(1);
});

test("a mask opens a row's own past and its own document, and nothing else", () => {
  const segments = constant([1, 1, 2, 0], i32([1, 4]));
  const open = (t: Tensor) =>
    values(t)
      .map((x) => (x === 0 ? 1 : 0))
      .join("")
      .replace(/(.{4})(?=.)/g, "$1 ");
  expect(open(attentionMask(4, { causal: true })!)).toBe("1000 1100 1110 1111");
  expect(open(attentionMask(4, { causal: true, segments })!)).toBe("1000 1100 0010 0001");
  expect(open(attentionMask(4, { causal: false, segments })!)).toBe("1100 1100 0010 0001");
  expect(open(attentionMask(4, { causal: true, window: 2 })!)).toBe("1000 1100 0110 0011");
  expect(open(attentionMask(4, { causal: true, window: 9, segments })!)).toBe("1000 1100 0010 0001");
  expect(attentionMask(4, { causal: false })).toBeUndefined();
});

test("a fused projection holds queries, keys and values one after the other", () => {
  const [B, T, D, H] = [1, 2, 4, 2];
  const all = constant(count(B * T * 3 * D), f32([B, T, 3 * D]));
  const parts = all.split(2, [D, D, D]).map((part) => values(splitHeads(part, H)));
  expect(splitFused(all, H).map((t) => values(t))).toEqual(parts);
});

test.each([2, 1])(
  "attention without dropout and its written-out form agree where nothing is dropped: %i key heads",
  (G) => {
    const heads = [2, G, G].map((H, s) =>
      constant(
        count(H * 12).map((i) => Math.sin(i * (s + 1))),
        f32([1, H, 3, 4]),
      ),
    ) as [Tensor, Tensor, Tensor];
    const mask = attentionMask(3, { causal: true });
    const seed = input("seed", u32([]));
    const fused = values(attend(new Scope(), heads, { mask }));
    const written = values(attend(new Scope(), heads, { mask, rate: 1e-9, noise: { seed } }), {
      seed: exact(nd("u32", [], 3)),
    });
    fused.forEach((x, i) => {
      expect(written[i]).toBeCloseTo(x, 8);
    });
  },
);

test("dropout draws anew in each place and with each seed, and keeps the mean", () => {
  const seed = input("seed", u32([]));
  const x = constant(1, f32([4000]));
  const drop = (name: string, value: number) =>
    values(dropout(new Scope(name), x, { rate: 0.25, noise: { seed } }), { seed: exact(nd("u32", [], value)) });
  const first = drop("h.0", 1);
  expect(drop("h.0", 1)).toEqual(first);
  expect(drop("h.1", 1)).not.toEqual(first);
  expect(drop("h.0", 2)).not.toEqual(first);
  expect(first.reduce((a, b) => a + b) / 4000).toBeCloseTo(1, 1);
  expect(dropout(new Scope(), x, { rate: 0.25, noise: undefined })).toBe(x);
  expect(streamOf("h.0")).not.toBe(streamOf("h.1"));
});

test("positions count along each row, and RMS norm leaves a root mean square of one", () => {
  expect(values(rowPositions(2, 3))).toEqual([0, 1, 2, 0, 1, 2]);
  const y = values(rmsNorm(new Scope(), constant([3, 4], f32([1, 2])), 1e-12), { weight: exact(nd("f32", [2], 1)) });
  expect(y.reduce((sum, v) => sum + v * v, 0)).toBeCloseTo(2, 9);
});

test("running statistics move towards the batch's, and in use they stand in for it", () => {
  const x = constant([1, 3, 5, 7, 10, 10, 30, 30], f32([2, 2, 2, 1]));
  const state = { weight: [2, 1], bias: [0, 5], running_mean: [4, 4], running_var: [9, 9] };
  const feeds = Object.fromEntries(Object.entries(state).map(([name, v]) => [name, exact(nd("f32", [2], v))]));
  const { y, next } = batchNorm(new Scope(), x, { training: true, momentum: 0.5, epsilon: 0 });
  expect(params([y]).map((t) => (t.attrs as { name: string }).name)).toEqual(["weight", "bias"]);
  expect(values(next["running_mean"]!, feeds)).toEqual([4 / 2 + 6 / 2, 4 / 2 + 18 / 2]);
  // of 1, 3, 10, 10 and of 5, 7, 30, 30, divided by three
  const spreads = [66 / 3, 578 / 3];
  values(next["running_var"]!, feeds).forEach((v, c) => {
    expect(v).toBeCloseTo(9 / 2 + spreads[c]! / 2, 9);
  });
  const used = batchNorm(new Scope(), x, { training: false, epsilon: 0 });
  expect(used.next).toEqual({});
  expect(values(used.y, feeds).slice(0, 4)).toEqual([-2, -2 / 3, 5 + 1 / 3, 6]);
});
