/** Random numbers by counting: the same seed, stream and place give the same number on every engine. */
import { type Emitter, fail, type Op, op, type Shape, show, size, type Tensor } from "../ir/index.js";
import { lessEqual, lift, mul, where } from "./elementwise.js";

export interface RandomAttrs {
  readonly shape: Shape;
  /** Which of a seed's independent sequences: one for each place in a model. */
  readonly stream: number;
}
const golden = 0x9e3779b9;
const [first, second] = [0x7feb352d, 0x846ca68b];

/** A 32-bit mixer of low bias (C. Wellons, "Prospecting for hash functions", 2018). */
export function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), first);
  x = Math.imul(x ^ (x >>> 15), second);
  return (x ^ (x >>> 16)) >>> 0;
}
/** What a stream mixes into its seed. */
export const streamKey = (stream: number): number => mix(Math.imul(stream + 1, golden));

/** Uniform numbers in [0, 1), multiples of 2⁻²⁴, from a u32 scalar seed. */
export const uniform: Op<[seed: Tensor], RandomAttrs> = op<[seed: Tensor], RandomAttrs>({
  name: "uniform",
  type([seed], { shape }) {
    if (seed.dtype !== "u32" || seed.shape.length) throw fail("dtype", `uniform: the seed is ${show(seed)}, not u32[]`);
    return { dtype: "f32", shape };
  },
  ref([seed], { stream }, [out]) {
    const key = mix((seed.data[0]! ^ streamKey(stream)) >>> 0);
    return Float64Array.from(
      { length: size(out!.shape) },
      (_, i) => (mix((Math.imul(i, golden) + key) | 0) >>> 8) * 2 ** -24,
    );
  },
  vjp: () => [null],
  onnx(e, [seed], { shape, stream }) {
    const key = mixed(e, e.node("BitwiseXor", [seed!, e.constant("u32", [], streamKey(stream))]));
    const index = e.node(
      "Range",
      [0, size(shape), 1].map((n) => e.constant("i32", [], n)),
    );
    const counter = e.node("Add", [e.node("Mul", [index, e.constant("i32", [], golden | 0)]), signed(e, key)]);
    const bits = mixed(e, unsigned(e, counter));
    const top = e.node("BitShift", [bits, e.constant("u32", [], 8)], { direction: "RIGHT" });
    const value = e.node("Mul", [e.node("Cast", [top], { to: 1 }), e.constant("f32", [], 2 ** -24)]);
    return e.node("Reshape", [value, e.constant("i64", [shape.length], shape)], { allowzero: 1 });
  },
  cost: (_, [out]) => 10 * size(out!.shape),
  samples: [
    {
      inputs: [{ shape: [], dtype: "u32", low: 0, high: 4294967295 }],
      attrs: { shape: [3, 5], stream: 0 },
      grad: false,
    },
    { inputs: [{ shape: [], dtype: "u32", low: 0, high: 9 }], attrs: { shape: [1000], stream: 7 }, grad: false },
  ],
});

// ONNX multiplies signed and shifts unsigned: the bits are the same
const signed = (e: Emitter, x: string) => e.node("Cast", [x], { to: 6 });
const unsigned = (e: Emitter, x: string) => e.node("Cast", [x], { to: 12 });
function mixed(e: Emitter, x: string): string {
  const shifted = (y: string, by: number) =>
    e.node("BitwiseXor", [y, e.node("BitShift", [y, e.constant("u32", [], by)], { direction: "RIGHT" })]);
  const times = (y: string, by: number) => unsigned(e, e.node("Mul", [signed(e, y), e.constant("i32", [], by | 0)]));
  return shifted(times(shifted(times(shifted(x, 16), first), 15), second), 16);
}

/** Dropout (Srivastava et al. 2014): each element is 0 with chance `rate`, else divided by 1 − rate. */
export const dropout: Op<[x: Tensor, seed: Tensor], { readonly rate: number; readonly stream: number }> = op<
  [x: Tensor, seed: Tensor],
  { readonly rate: number; readonly stream: number }
>({
  name: "dropout",
  type([x], { rate }) {
    if (!(rate >= 0 && rate < 1)) throw fail("attribute", `dropout: rate ${rate} is not in [0, 1)`);
    return x;
  },
  lower: ([x, seed], attrs) => kept(x, x, seed, attrs),
  vjp: (g, [x, seed], _, attrs) => [kept(g, x, seed, attrs), null],
  cost: ([x]) => 12 * size(x.shape),
  samples: [{ inputs: [[4, 5], { shape: [], dtype: "u32", low: 0, high: 99 }], attrs: { rate: 0.5, stream: 3 } }],
});
function kept(values: Tensor, x: Tensor, seed: Tensor, { rate, stream }: { rate: number; stream: number }): Tensor {
  const draw = uniform(seed, { shape: x.shape, stream });
  return where(lessEqual(lift(rate, draw), draw), mul(values, lift(1 / (1 - rate), values)), lift(0, values));
}
