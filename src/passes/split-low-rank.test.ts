import { expect, test } from "vitest";
import { grad } from "../grad/index.js";
import { type Exact, evaluate, f32, i32, input, nameOf, param, params, print, type Tensor } from "../ir/index.js";
import "../ops/index.js";
import { flops, splitLowRank } from "./index.js";

const p = (name: string, shape: readonly number[]) => param(name, shape, () => new Float32Array());
const w = (shape: readonly number[]) => p("w", shape).detach();
const x = input("x", f32([3, 5, 24]));
const ids = input("ids", i32([3, 5]));
const [a, b] = [p("a", [24, 2]), p("b", [2, 32])];
const sum = (difference: Tensor) => w([24, 32]).add(difference);
const turned = w([32, 24]).add(b.T.matmul(a.T).mul(0.5));

const forms: Record<string, Tensor> = {
  "[in, out]": x.matmul(sum(a.matmul(b).mul(0.5))),
  "[out, in]": x.matmul(turned.T),
  "without a factor": x.matmul(sum(a.matmul(b))),
  "the difference first": x.matmul(
    a
      .matmul(b)
      .mul(0.5)
      .add(w([24, 32])),
  ),
  "a table of embeddings": sum(a.matmul(b).mul(0.5)).gather(ids),
};
const learning = (y: Tensor): Tensor[] => {
  const byName = new Map(params([y]).map((t) => [nameOf(t), t]));
  return ["a", "b"].map((name) => byName.get(name)!);
};
const feeds = (root: Tensor) =>
  new Map<string, Exact>([
    ["x", { shape: x.shape, data: Float64Array.from({ length: 360 }, (_, i) => Math.sin(i + 1)) }],
    ["ids", { shape: ids.shape, data: Float64Array.from({ length: 15 }, (_, i) => (7 * i) % 24) }],
    ...params([root]).map((t): [string, Exact] => [
      nameOf(t),
      {
        shape: t.shape,
        data: Float64Array.from({ length: t.shape[0]! * t.shape[1]! }, (_, i) => Math.cos(3 * i + t.shape[0]!)),
      },
    ]),
  ]);

test.each(Object.entries(forms))("%s: fast and slow are equal, forward and backward", (_, slow) => {
  const [fast] = splitLowRank([slow]);
  expect(fast).not.toBe(slow);
  const all = (y: Tensor) => [y, ...grad(y.square().sum(), learning(y))];
  const [slowly, quickly] = [evaluate(all(slow), feeds(slow)), evaluate(all(fast!), feeds(slow))];
  expect(quickly).toHaveLength(3);
  slowly.forEach(({ data, shape }, i) => {
    expect(quickly[i]!.shape).toEqual(shape);
    // float64, sums of a few hundred terms of size up to a hundred
    data.forEach((v, k) => {
      expect(Math.abs(v - quickly[i]!.data[k]!)).toBeLessThan(1e-9);
    });
  });
});

test.each(Object.entries(forms))(
  "%s: no product of the size of the frozen matrix is formed, forward or backward",
  (_, slow) => {
    const step = (y: Tensor) => {
      const gradients = grad(y.square().sum(), learning(y));
      return { outputs: { y }, next: Object.fromEntries(learning(y).map((t, i) => [nameOf(t), gradients[i]!])) };
    };
    const full = /= matmul\(.*\) f32\[(24,32|32,24)\]$/m;
    const [fast] = splitLowRank([slow]);
    expect(print(step(slow))).toMatch(full);
    expect(print(step(fast!))).not.toMatch(full);
    expect(flops(step(fast!))).toBeLessThan(flops(step(slow)));
  },
);

test("a sum that is no low-rank difference is left alone", () => {
  const wide = x.matmul(sum(p("c", [24, 28]).matmul(p("d", [28, 32]))));
  const plain = x.matmul(p("w", [24, 32]).add(p("e", [24, 32])));
  const gated = x.matmul(sum(a.matmul(b).mul(p("gate", [24, 32]))));
  expect(splitLowRank([wide, plain, gated])).toEqual([wide, plain, gated]);
});
