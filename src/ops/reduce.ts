/** Ops that take axes away: sums, maxima, the place of a maximum. */
import { type Exact, fail, type Op, op, type Shape, show, type Tensor, type Type } from "../ir/index.js";
import { equal, lift, mul, where } from "./elementwise.js";
import { expand, reshape } from "./shape.js";

export interface ReduceAttrs {
  readonly axes: readonly number[];
  /** Keep each reduced axis, with size 1. */
  readonly keep: boolean;
}

const kept = (shape: Shape, axes: readonly number[]): Shape => shape.map((n, d) => (axes.includes(d) ? 1 : n));
function reduced(name: string, x: Type, { axes, keep }: ReduceAttrs): Shape {
  if (axes.some((d) => x.shape[d] === undefined))
    throw fail("shape", `${name}: ${show(x)} has no axis ${axes.find((d) => x.shape[d] === undefined)}`);
  return keep ? kept(x.shape, axes) : x.shape.filter((_, d) => !axes.includes(d));
}

/** Fold every element into the cell that its other axes name. */
function fold(
  x: Exact,
  axes: readonly number[],
  first: number,
  f: (a: number, b: number, i: number) => number,
  cells: number,
): Float64Array {
  const y = new Float64Array(cells).fill(first);
  const steps = new Array<number>(x.shape.length).fill(0);
  for (let d = x.shape.length - 1, stride = 1; d >= 0; d--)
    if (!axes.includes(d)) {
      steps[d] = stride;
      stride *= x.shape[d]!;
    }
  const counter = new Array<number>(x.shape.length).fill(0);
  for (let i = 0, at = 0; i < x.data.length; i++) {
    y[at] = f(y[at]!, x.data[i]!, i);
    for (let d = x.shape.length - 1; d >= 0; d--) {
      at += steps[d]!;
      if (++counter[d]! < x.shape[d]!) break;
      at -= steps[d]! * x.shape[d]!;
      counter[d] = 0;
    }
  }
  return y;
}
const cells = (out: Type): number => out.shape.reduce((a, b) => a * b, 1);

export const sum: Op<[Tensor], ReduceAttrs> = op<[Tensor], ReduceAttrs>({
  name: "sum",
  type: ([x], a) => ({ dtype: x.dtype, shape: reduced("sum", x, a) }),
  ref: ([x], { axes }, [out]) => fold(x, axes, 0, (a, b) => a + b, cells(out!)),
  vjp: (g, [x], _, { axes }) => [expand(reshape(g, { shape: kept(x.shape, axes) }), { shape: x.shape })],
  onnx: (e, [x], { axes, keep }) =>
    axes.length
      ? e.node("ReduceSum", [x!, e.constant("i64", [axes.length], axes)], { keepdims: keep ? 1 : 0 })
      : e.node("Identity", [x!]),
  cost: ([x]) => cells(x),
  samples: [
    { inputs: [[2, 3]], attrs: { axes: [1], keep: true } },
    { inputs: [[2, 3, 4]], attrs: { axes: [0, 2], keep: false } },
    { inputs: [[2, 3]], attrs: { axes: [0, 1], keep: false } },
    { inputs: [[1, 1]], attrs: { axes: [0], keep: false } },
  ],
});

/** The sum of squares: what a norm is the root of, in one pass. */
export const sumSquare: Op<[Tensor], ReduceAttrs> = op<[Tensor], ReduceAttrs>({
  name: "sumSquare",
  type: ([x], a) => ({ dtype: x.dtype, shape: reduced("sumSquare", x, a) }),
  lower: ([x], a) => sum(mul(x, x), a),
  vjp: (g, [x], _, { axes }) => [mul(mul(x, lift(2, x)), reshape(g, { shape: kept(x.shape, axes) }))],
  onnx: (e, [x], { axes, keep }) =>
    e.node("ReduceSumSquare", [x!, e.constant("i64", [axes.length], axes)], { keepdims: keep ? 1 : 0 }),
  cost: ([x]) => 2 * cells(x),
  samples: [
    { inputs: [[2, 3]], attrs: { axes: [1], keep: true } },
    { inputs: [[2, 3, 4]], attrs: { axes: [0, 1, 2], keep: false } },
  ],
});

/** The largest element; equal ones share the gradient's full value each. */
export const max: Op<[Tensor], ReduceAttrs> = op<[Tensor], ReduceAttrs>({
  name: "max",
  type: ([x], a) => ({ dtype: x.dtype, shape: reduced("max", x, a) }),
  ref: ([x], { axes }, [out]) => fold(x, axes, Number.NEGATIVE_INFINITY, (a, b) => Math.max(a, b), cells(out!)),
  vjp: (g, [x], y, { axes }) => {
    const back = (t: Tensor) => reshape(t, { shape: kept(x.shape, axes) });
    return [where(equal(x, back(y)), back(g), lift(0, g))];
  },
  onnx: (e, [x], { axes, keep }) =>
    e.node("ReduceMax", [x!, e.constant("i64", [axes.length], axes)], { keepdims: keep ? 1 : 0 }),
  cost: ([x]) => cells(x),
  samples: [
    { inputs: [[2, 3]], attrs: { axes: [1], keep: true } },
    { inputs: [[2, 3]], attrs: { axes: [0], keep: false } },
  ],
});

/** The index of the largest element along one axis, the first where several are; i32, the axis dropped. */
export const argmax: Op<[Tensor], { readonly axis: number }> = op<[Tensor], { readonly axis: number }>({
  name: "argmax",
  type: ([x], { axis }) => ({ dtype: "i32", shape: reduced("argmax", x, { axes: [axis], keep: false }) }),
  ref([x], { axis }, [out]) {
    const best = fold(x, [axis], Number.NEGATIVE_INFINITY, (a, b) => Math.max(a, b), cells(out!));
    const stride = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const n = x.shape[axis]!;
    const y = new Float64Array(best.length).fill(-1);
    for (let i = 0; i < x.data.length; i++) {
      const cell = Math.floor(i / (stride * n)) * stride + (i % stride);
      if (y[cell] === -1 && x.data[i] === best[cell]) y[cell] = Math.floor(i / stride) % n;
    }
    return y;
  },
  vjp: () => [null],
  onnx: (e, [x], { axis }) => e.node("Cast", [e.node("ArgMax", [x!], { axis, keepdims: 0 })], { to: 6 }),
  samples: [
    { inputs: [[3, 4]], attrs: { axis: 1 }, grad: false },
    { inputs: [[3, 4]], attrs: { axis: 0 }, grad: false },
  ],
});
