import { describe, expect, test } from "vitest";
import { cases, feeds, graph, uniform } from "../../test/samples.js";
import { grad } from "../grad/index.js";
import { constant, type Exact, evaluate, isFloat, size, type Tensor } from "../ir/index.js";
import { table } from "./index.js";

const named = (xs: readonly Exact[]) => new Map(xs.map((x, i): [string, Exact] => [`x${i}`, x]));

/** A scalar that weighs every element of the first output differently. */
function weighed(y: Tensor): Tensor {
  const random = uniform(99);
  return y.mul(constant(Array.from({ length: size(y.shape) }, random), y.type)).sum();
}

for (const op of table.values())
  describe(op.name, () => {
    cases(op).forEach((c, i) => {
      test(`${c.name}: the value has the declared shape`, () => {
        const { ys } = graph(c);
        const results = evaluate(ys, named(feeds(op, i)));
        results.forEach((r, k) => {
          expect(r.data.length).toBe(size(ys[k]!.shape));
          expect(r.data.some(Number.isNaN)).toBe(false);
        });
      });
      if (op.lower)
        test(`${c.name}: lowered, it is the same`, () => {
          const { xs, ys } = graph(c);
          const lowered = [op.lower!(xs, c.attrs)].flat() as Tensor[];
          const [a, b] = [evaluate(ys, named(feeds(op, i))), evaluate(lowered, named(feeds(op, i)))];
          a.forEach((r, k) => {
            r.data.forEach((v, j) => {
              expect(v).toBeCloseTo(b[k]!.data[j]!, 12);
            });
          });
        });
      if (c.grad)
        test(`${c.name}: the gradient is the slope in a random direction`, () => {
          const { xs, ys } = graph(c);
          const loss = weighed(ys[0]!);
          const at = feeds(op, i);
          const random = uniform(7);
          const way = at.map((x, k) => x.data.map(() => (isFloat(xs[k]!.dtype) ? random() - 0.5 : 0)));
          const moved = (h: number) =>
            at.map((x, k) => ({ shape: x.shape, data: x.data.map((v, j) => v + h * way[k]![j]!) }));
          const value = (h: number) => evaluate([loss], named(moved(h)))[0]!.data[0]!;
          const slope = (value(1e-5) - value(-1e-5)) / 2e-5;
          const learned = xs.filter((x) => isFloat(x.dtype));
          const gradients = evaluate(grad(loss, learned), named(at));
          const directional = learned.reduce(
            (total, x, k) => total + gradients[k]!.data.reduce((sum, v, j) => sum + v * way[xs.indexOf(x)]![j]!, 0),
            0,
          );
          // central differences of step 1e-5 in float64 lose about ten of sixteen digits of the value
          expect(Math.abs(directional - slope)).toBeLessThan(1e-9 * (1 + Math.abs(value(0))));
        });
    });
  });

test("every op has a sample of every input type it takes", () => {
  for (const op of table.values()) expect(op.samples.length, op.name).toBeGreaterThan(0);
});
