/** Ops that work on each element: arithmetic, comparisons, choices, casts. */
import { constant, type Dtype, fail, type Op, op, show, type Tensor, type Type } from "../ir/index.js";
import { broadcast, expanded, sameDtype } from "./broadcast.js";
import { erf as erfOf } from "./erf.js";

type Pair = [Tensor, Tensor];
const pairs = [
  {
    inputs: [
      [2, 3],
      [2, 3],
    ],
  },
  { inputs: [[2, 3], [3]] },
  {
    inputs: [
      [2, 1],
      [1, 3],
    ],
  },
  { inputs: [[2, 0], [1]], grad: false },
];

const binary = (
  name: string,
  onnx: string,
  f: (a: number, b: number) => number,
  vjp: (g: Tensor, xs: Pair, y: Tensor) => [Tensor | null, Tensor | null],
): Op<Pair> =>
  op<Pair>({
    name,
    onnx,
    vjp,
    type([a, b]) {
      sameDtype(name, a, b);
      return { dtype: a.dtype, shape: broadcast(name, a, b) };
    },
    ref([a, b], _, [out]) {
      const [x, y] = [expanded(a, out!.shape), expanded(b, out!.shape)];
      return x.map((v, i) => f(v, y[i]!));
    },
    samples: pairs,
  });

const comparison = (name: string, onnx: string, f: (a: number, b: number) => boolean, dtype: Dtype = "i32"): Op<Pair> =>
  op<Pair>({
    name,
    onnx,
    type([a, b]) {
      sameDtype(name, a, b);
      return { dtype: "bool", shape: broadcast(name, a, b) };
    },
    ref([a, b], _, [out]) {
      const [x, y] = [expanded(a, out!.shape), expanded(b, out!.shape)];
      return x.map((v, i) => (f(v, y[i]!) ? 1 : 0));
    },
    vjp: () => [null, null],
    samples: [
      {
        inputs: [
          { shape: [4, 3], dtype, low: 0, high: 2 },
          { shape: [3], dtype, low: 0, high: 2 },
        ],
        grad: false,
      },
    ],
  });

const unary = (
  name: string,
  onnx: string,
  f: (x: number) => number,
  vjp: (g: Tensor, x: Tensor, y: Tensor) => Tensor | null,
  low = 0.5,
  learns = true,
): Op<[Tensor]> =>
  op<[Tensor]>({
    name,
    onnx,
    type: ([x]) => x,
    ref: ([x]) => x.data.map(f),
    vjp: (g, [x], y) => [vjp(g, x, y)],
    samples: [
      { inputs: [{ shape: [2, 3], low, high: 1.5 }], grad: learns },
      { inputs: [{ shape: [], low, high: 1.5 }], grad: learns },
    ],
  });

/** The number `x`, in the type of `like`. */
export const lift = (x: Tensor | number, like: Tensor): Tensor =>
  typeof x === "number" ? constant(x, { ...like.type, shape: [] }) : x;

export const add = binary(
  "add",
  "Add",
  (a, b) => a + b,
  (g) => [g, g],
);
export const sub = binary(
  "sub",
  "Sub",
  (a, b) => a - b,
  (g) => [g, neg(g)],
);
export const mul: Op<Pair> = binary(
  "mul",
  "Mul",
  (a, b) => a * b,
  (g, [a, b]) => [mul(g, b), mul(g, a)],
);
export const div: Op<Pair> = binary(
  "div",
  "Div",
  (a, b) => a / b,
  (g, [, b], y) => [div(g, b), neg(div(mul(g, y), b))],
);
/** The larger of two; where equal, the gradient goes to the first. */
export const maximum = binary("maximum", "Max", Math.max, (g, [a, b]) => choose(g, lessEqual(b, a)));
/** The smaller of two; where equal, the gradient goes to the first. */
export const minimum = binary("minimum", "Min", Math.min, (g, [a, b]) => choose(g, lessEqual(a, b)));
const choose = (g: Tensor, first: Tensor): Pair => [where(first, g, lift(0, g)), where(first, lift(0, g), g)];

export const equal = comparison("equal", "Equal", (a, b) => a === b);
export const less = comparison("less", "Less", (a, b) => a < b);
export const lessEqual = comparison("lessEqual", "LessOrEqual", (a, b) => a <= b);
export const and = comparison("and", "And", (a, b) => a !== 0 && b !== 0, "bool");
export const or = comparison("or", "Or", (a, b) => a !== 0 || b !== 0, "bool");
export const not: Op<[Tensor]> = op<[Tensor]>({
  name: "not",
  onnx: "Not",
  type: ([x]) => x,
  ref: ([x]) => x.data.map((v) => (v ? 0 : 1)),
  vjp: () => [null],
  samples: [{ inputs: [{ shape: [4], dtype: "bool", low: 0, high: 2 }], grad: false }],
});

export const neg: Op<[Tensor]> = unary(
  "neg",
  "Neg",
  (x) => -x,
  (g) => neg(g),
);
export const exp = unary("exp", "Exp", Math.exp, (g, _, y) => mul(g, y));
export const log = unary("log", "Log", Math.log, (g, x) => div(g, x));
export const sqrt = unary("sqrt", "Sqrt", Math.sqrt, (g, _, y) => div(g, mul(y, lift(2, y))));
export const tanh = unary("tanh", "Tanh", Math.tanh, (g, _, y) => mul(g, sub(lift(1, y), mul(y, y))), -1);
export const sigmoid = unary(
  "sigmoid",
  "Sigmoid",
  (x) => 1 / (1 + Math.exp(-x)),
  (g, _, y) => mul(g, mul(y, sub(lift(1, y), y))),
  -1,
);
/** The error function, 2/√π ∫₀ˣ exp(−t²) dt. */
export const erf = unary(
  "erf",
  "Erf",
  erfOf,
  (g, x) => mul(g, mul(exp(neg(mul(x, x))), lift(2 / Math.sqrt(Math.PI), x))),
  -1,
);
export const sin: Op<[Tensor]> = unary("sin", "Sin", Math.sin, (g, x) => mul(g, cos(x)));
export const cos: Op<[Tensor]> = unary("cos", "Cos", Math.cos, (g, x) => neg(mul(g, sin(x))));
export const sign = unary("sign", "Sign", Math.sign, () => null, -1);
export const abs = unary("abs", "Abs", Math.abs, (g, x) => mul(g, sign(x)), -1);
export const relu = unary(
  "relu",
  "Relu",
  (x) => Math.max(x, 0),
  (g, x) => where(less(lift(0, x), x), g, lift(0, g)),
  -1,
);
/** The value without its gradient: what it holds is frozen. */
export const detach = unary(
  "detach",
  "Identity",
  (x) => x,
  () => null,
  0.5,
  false,
);

/** Elements of `a` where `condition` holds, of `b` elsewhere; all three broadcast. */
export const where: Op<[condition: Tensor, a: Tensor, b: Tensor]> = op<[condition: Tensor, a: Tensor, b: Tensor]>({
  name: "where",
  onnx: "Where",
  type([condition, a, b]) {
    if (condition.dtype !== "bool") throw fail("dtype", `where: the condition is ${show(condition)}, not bool`);
    sameDtype("where", a, b);
    const ab: Type = { dtype: a.dtype, shape: broadcast("where", a, b) };
    return { dtype: a.dtype, shape: broadcast("where", condition, ab) };
  },
  ref([condition, a, b], _, [out]) {
    const [c, x, y] = [condition, a, b].map((v) => expanded(v, out!.shape)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    return c.map((v, i) => (v ? x[i]! : y[i]!));
  },
  vjp: (g, [condition]) => [null, where(condition, g, lift(0, g)), where(condition, lift(0, g), g)],
  samples: [{ inputs: [{ shape: [2, 3], dtype: "bool", low: 0, high: 2 }, [2, 3], [3]] }],
});

/** The value in another element type: to whole numbers towards zero, to bool by "is not 0". */
export const cast: Op<[Tensor], { readonly to: Dtype }> = op<[Tensor], { readonly to: Dtype }>({
  name: "cast",
  type: ([x], { to }) => ({ dtype: to, shape: x.shape }),
  ref([x], { to }) {
    if (to === "bool") return x.data.map((v) => (v ? 1 : 0));
    return to === "i32" || to === "i64" || to === "u32" ? x.data.map(Math.trunc) : x.data;
  },
  vjp: (g, [x]) => [x.dtype === "f32" || x.dtype === "f16" || x.dtype === "bf16" ? cast(g, { to: x.dtype }) : null],
  onnx: (e, [x], { to }) => e.node("Cast", [x!], { to: onnxType[to] }),
  samples: [
    { inputs: [{ shape: [3], low: -3, high: 3 }], attrs: { to: "i32" }, grad: false },
    { inputs: [{ shape: [3], dtype: "i32", low: 0, high: 5 }], attrs: { to: "f32" }, grad: false },
    { inputs: [{ shape: [3], dtype: "i32", low: 0, high: 2 }], attrs: { to: "bool" }, grad: false },
    { inputs: [{ shape: [3], dtype: "i32", low: 0, high: 9 }], attrs: { to: "u32" }, grad: false },
    { inputs: [{ shape: [3], dtype: "i32", low: 0, high: 9 }], attrs: { to: "i64" }, grad: false },
  ],
});
/** ONNX's numbers for element types (TensorProto.DataType). */
export const onnxType = { f32: 1, i32: 6, i64: 7, bool: 9, f16: 10, u32: 12, bf16: 16 } satisfies Record<Dtype, number>;
