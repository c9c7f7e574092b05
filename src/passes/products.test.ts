import fc from "fast-check";
import { expect, test } from "vitest";
import { constant, evaluate, f32, input, print, type Tensor } from "../ir/index.js";
import { matmul } from "../ops/index.js";
import { dedupe, fold } from "./index.js";

const x = input("x", f32([4, 3]));
const w = input("w", f32([3, 9]));
const rows = input("rows", f32([4, 1]));
const folded = (...outputs: Tensor[]): string => {
  const settled = fold(fold(dedupe(outputs)));
  return print({ outputs: Object.fromEntries(dedupe(settled).map((t, i) => [`y${i}`, t])), next: {} })
    .split("\n")
    .filter((line) => line.startsWith("%"))
    .join("\n");
};

test("a product turned is the product of its sides turned, exchanged", () => {
  expect(folded(x.matmul(w).T)).toMatchInlineSnapshot(
    `"%0 = matmul(w, x, {transposeLeft:true,transposeRight:true,scale:1}) f32[9,4]"`,
  );
});

test("a factor of a side becomes the product's own", () => {
  expect(folded(x.mul(2).matmul(w.mul(3)))).toMatchInlineSnapshot(`"%0 = matmul(x, w, {scale:6}) f32[4,9]"`);
  expect(folded(x.mul(constant(2, f32([])).expand([4, 1])).matmul(w))).toMatchInlineSnapshot(
    `"%0 = matmul(x, w, {scale:2}) f32[4,9]"`,
  );
});

test("factors of a wide side's rows move to what is narrow, in the product and in the product over the rows", () => {
  const wide = x.matmul(w).mul(rows);
  const narrow = input("narrow", f32([9, 2]));
  expect(folded(wide.matmul(narrow), wide.T.matmul(x))).toMatchInlineSnapshot(`
    "%0 = matmul(x, w) f32[4,9]
    %1 = matmul(%0, narrow) f32[4,2]
    %2 = mul(%1, rows) f32[4,2]
    %3 = mul(x, rows) f32[4,3]
    %4 = matmul(%0, %3, {transposeLeft:true,transposeRight:false,scale:1}) f32[9,3]"
  `);
});

test("a sum of squares reads its input once", () => {
  expect(folded(x.square().sum())).toMatchInlineSnapshot(`"%0 = sumSquare(x, {axes:[0,1],keep:false}) f32[]"`);
});

/** A random side of a product: what it is made of, so that a failure prints it. */
const side = fc.record({ turned: fc.boolean(), factor: fc.constantFrom(1, 2, -3), rows: fc.boolean() });
const product = fc.record({
  left: side,
  right: side,
  transposeLeft: fc.boolean(),
  transposeRight: fc.boolean(),
  turned: fc.boolean(),
  sizes: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
});

test("a product of any sides is, folded, the number it was", () => {
  fc.assert(
    fc.property(product, ({ left, right, transposeLeft, transposeRight, turned, sizes: [m, k, n] }) => {
      const feeds = new Map<string, { shape: readonly number[]; data: Float64Array }>();
      const leaf = (name: string, shape: readonly [number, number]): Tensor => {
        const data = Float64Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i + name.length));
        feeds.set(name, { shape, data });
        return input(name, f32(shape));
      };
      const built = (name: string, s: typeof left, [rows, columns]: readonly [number, number]): Tensor => {
        let t = s.turned ? leaf(name, [columns, rows]).T : leaf(name, [rows, columns]);
        if (s.rows) t = t.mul(leaf(`${name}Rows`, [rows, 1]));
        return t.mul(s.factor);
      };
      const l = built("l", left, transposeLeft ? [k, m] : [m, k]);
      const r = built("right", right, transposeRight ? [n, k] : [k, n]);
      const y = matmul(l, r, { transposeLeft, transposeRight });
      const whole = turned ? y.T : y;
      const [want] = evaluate([whole], feeds);
      const [got] = evaluate(fold(fold(dedupe([whole]))), feeds);
      expect(got!.shape).toEqual(want!.shape);
      // the same float64 products, added up in another order at most
      got!.data.forEach((v, i) => {
        expect(Math.abs(v - want!.data[i]!)).toBeLessThan(1e-12);
      });
    }),
    { seed: 1, numRuns: 300 },
  );
});
