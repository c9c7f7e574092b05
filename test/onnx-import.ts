/** ONNX nodes said in our ops, as far as the ONNX project's own tests of our ops need it. */
import { constant, type Dtype, exact, isFloat, type Nd, size, type Tensor } from "../src/ir/index.js";
import { concat, crossEntropy, gelu, geluErf, layerNorm, matmul, scatterAdd, silu, where } from "../src/ops/index.js";
import { imageRules } from "./onnx-import-image.js";
import type { OnnxNode } from "./onnx-reader.js";

/** A node with its inputs: as tensors, and as numbers where they are known when the graph is built. */
export interface Context {
  readonly node: OnnxNode;
  readonly opset: number;
  readonly xs: readonly Tensor[];
  known(input: number): Nd | undefined;
}
/** Outputs of the node, or undefined where our ops do not say it. */
export type Rule = (c: Context) => Tensor | readonly Tensor[] | undefined;

const int = ({ node }: Context, name: string, otherwise: number): number => (node.attrs[name] as number) ?? otherwise;
/** Whole numbers from an attribute, or from an input in newer operator sets. */
function ints(c: Context, name: string, index: number): number[] | undefined {
  const given = c.known(index);
  return given ? [...exact(given).data] : (c.node.attrs[name] as number[] | undefined);
}
const positive = (axis: number, x: Tensor): number => (axis < 0 ? axis + x.shape.length : axis);

const unary =
  (f: (x: Tensor) => Tensor): Rule =>
  ({ xs: [x] }) =>
    f(x!);
const floats =
  (f: (x: Tensor) => Tensor): Rule =>
  ({ xs: [x] }) =>
    isFloat(x!.dtype) ? f(x!) : undefined;
const pair =
  (f: (a: Tensor, b: Tensor) => Tensor): Rule =>
  ({ xs: [a, b] }) =>
    f(a!, b!);
const many =
  (f: (a: Tensor, b: Tensor) => Tensor): Rule =>
  ({ xs }) =>
    xs.reduce(f);

/** An op over the last axis, along another one. */
const along =
  (f: (x: Tensor) => Tensor): Rule =>
  (c) => {
    const [x] = c.xs as [Tensor];
    if (c.opset < 13) return undefined;
    const axis = positive(int(c, "axis", -1), x);
    const swap = x.shape.map((_, d) => (d === axis ? x.shape.length - 1 : d === x.shape.length - 1 ? axis : d));
    return f(x.transpose(swap)).transpose(swap);
  };

const reduction =
  (f: (x: Tensor, axes: readonly number[], o: { keep: boolean }) => Tensor): Rule =>
  (c) => {
    const [x] = c.xs as [Tensor];
    if (!isFloat(x.dtype) || (c.node.inputs[1] && !c.known(1))) return undefined;
    const given = ints(c, "axes", 1) ?? [];
    if (!given.length && int(c, "noop_with_empty_axes", 0)) return x;
    const axes = given.length ? given.map((d) => positive(d, x)) : x.shape.map((_, d) => d);
    return f(x, axes, { keep: int(c, "keepdims", 1) === 1 });
  };

const reshape: Rule = (c) => {
  const [x] = c.xs as [Tensor];
  const wanted = ints(c, "shape", 1);
  if (!wanted) return undefined;
  const sizes = wanted.map((n, d) => (n === 0 && !int(c, "allowzero", 0) ? x.shape[d]! : n));
  const rest = sizes.reduce((a, n) => (n < 0 ? a : a * n), 1);
  return x.reshape(sizes.map((n) => (n < 0 ? size(x.shape) / rest : n)));
};

const squeeze: Rule = (c) => {
  const [x] = c.xs as [Tensor];
  const axes = ints(c, "axes", 1)?.map((d) => positive(d, x));
  return x.reshape(x.shape.filter((n, d) => (axes ? !axes.includes(d) : n !== 1)));
};
const unsqueeze: Rule = (c) => {
  const [x] = c.xs as [Tensor];
  const axes = ints(c, "axes", 1);
  if (!axes) return undefined;
  const rank = x.shape.length + axes.length;
  const rest = [...x.shape];
  const at = axes.map((d) => (d < 0 ? d + rank : d));
  return x.reshape(Array.from({ length: rank }, (_, d) => (at.includes(d) ? 1 : rest.shift()!)));
};

const slice: Rule = (c) => {
  let [x] = c.xs as [Tensor];
  const [starts, ends] = [ints(c, "starts", 1), ints(c, "ends", 2)];
  const axes = ints(c, "axes", 3) ?? starts?.map((_, d) => d);
  if (!starts || !ends || !axes || ints(c, "steps", 4)?.some((s) => s !== 1)) return undefined;
  axes.forEach((d, i) => {
    const axis = positive(d, x);
    const n = x.shape[axis]!;
    const bound = (v: number) => Math.min(Math.max(v < 0 ? v + n : v, 0), n);
    x = x.slice(axis, bound(starts[i]!), Math.max(bound(starts[i]!), bound(ends[i]!)));
  });
  return x;
};

const split: Rule = (c) => {
  const [x] = c.xs as [Tensor];
  const axis = positive(int(c, "axis", 0), x);
  const pieces = c.node.outputs.length;
  const each = Math.ceil(x.shape[axis]! / pieces);
  const even = Array.from({ length: pieces }, (_, i) => Math.max(0, Math.min(each, x.shape[axis]! - i * each)));
  return x.split(axis, ints(c, "split", 1) ?? even);
};

const gather: Rule = (c) => {
  const [x, ids] = c.xs as [Tensor, Tensor];
  const axis = positive(int(c, "axis", 0), x);
  if (axis === 0) return x.gather(ids);
  if (axis !== 1 || ids.shape.length !== 2 || x.shape.length !== 2) return undefined;
  return x.T.gather(ids).transpose([2, 0, 1]);
};

/** One element of an axis for every element of `ids`, column by column. */
const gatherElements: Rule = (c) => {
  const [x, ids] = c.xs as [Tensor, Tensor];
  const axis = positive(int(c, "axis", 0), x);
  const turn = (t: Tensor) => (axis === 0 ? t.T : t);
  if (x.shape.length !== 2 || turn(x).shape[0] !== turn(ids).shape[0]) return undefined;
  const [rows, columns] = turn(ids).dims("rows columns");
  const parts = Array.from({ length: columns }, (_, k) =>
    turn(x)
      .gatherLast(
        turn(ids)
          .slice(1, k, k + 1)
          .reshape([rows]),
      )
      .reshape([rows, 1]),
  );
  return turn(concat(parts, 1));
};

const scatterNd: Rule = (c) => {
  const [x, ids, updates] = c.xs as [Tensor, Tensor, Tensor];
  if (c.node.attrs["reduction"] !== "add" || ids.shape.at(-1) !== 1) return undefined;
  return scatterAdd(x, ids.reshape(ids.shape.slice(0, -1)), updates);
};

const gemm: Rule = (c) => {
  const [a, b, bias] = c.xs as [Tensor, Tensor, Tensor | undefined];
  const [transposeLeft, transposeRight] = [int(c, "transA", 0) === 1, int(c, "transB", 0) === 1];
  const y = matmul(a, b, { transposeLeft, transposeRight, scale: int(c, "alpha", 1) });
  return bias ? y.add(bias.mul(int(c, "beta", 1))) : y;
};

const normalise: Rule = (c) => {
  const [x, gain, bias] = c.xs as [Tensor, Tensor, Tensor | undefined];
  const axis = positive(int(c, "axis", -1), x);
  const [rows, width] = [x.shape.slice(0, axis), size(x.shape.slice(axis))];
  const flat = (t: Tensor) => t.reshape([width]);
  const zero = constant(0, { dtype: x.dtype, shape: [width] });
  const given = bias ? flat(bias) : zero;
  const [y, mean, inverse] = layerNorm(x.reshape([...rows, width]), flat(gain), given, {
    epsilon: int(c, "epsilon", 1e-5),
  });
  const statistic = (t: Tensor) => t.reshape(x.shape.map((n, d) => (d < axis ? n : 1)));
  return [y.reshape(x.shape), statistic(mean), statistic(inverse)];
};

const lossOf: Rule = (c) => {
  const [scores, labels, weights] = c.xs as [Tensor, Tensor, Tensor | undefined];
  if (scores.shape.length !== 2 || weights || c.node.attrs["ignore_index"] !== undefined) return undefined;
  const [each] = crossEntropy(scores, labels);
  const how = c.node.attrs["reduction"] ?? "mean";
  return [how === "none" ? each : how === "sum" ? each.sum() : each.mean(), scores.logSoftmax()];
};

const casts: Readonly<Record<number, Dtype>> = { 1: "f32", 6: "i32", 7: "i64", 9: "bool", 12: "u32" };
const cast: Rule = (c) => {
  const to = casts[int(c, "to", 0)];
  return to && c.xs[0]!.dtype !== "f16" ? c.xs[0]!.cast(to) : undefined;
};

const clip: Rule = (c) => {
  const [x] = c.xs as [Tensor];
  if (!isFloat(x.dtype)) return undefined;
  const [low, high] = ["min", "max"].map((name, i) => c.xs[i + 1] ?? (c.node.attrs[name] as number | undefined));
  const above = low === undefined ? x : x.maximum(low);
  return high === undefined ? above : above.minimum(high);
};

const argmax: Rule = (c) => {
  const axis = positive(int(c, "axis", 0), c.xs[0]!);
  if (!isFloat(c.xs[0]!.dtype) || int(c, "select_last_index", 0)) return undefined;
  const found = c.xs[0]!.argmax(axis).cast("i64");
  return int(c, "keepdims", 1) ? found.reshape(c.xs[0]!.shape.map((n, d) => (d === axis ? 1 : n))) : found;
};

const reversed = (x: Tensor) => x.shape.map((_, d) => d).reverse();
/** ONNX operator to our ops. */
export const rules: Readonly<Record<string, Rule>> = {
  ...imageRules,
  Abs: floats((x) => x.abs()),
  Add: pair((a, b) => a.add(b)),
  And: pair((a, b) => a.and(b)),
  ArgMax: argmax,
  Cast: cast,
  Clip: clip,
  Concat: (c) => concat(c.xs, positive(int(c, "axis", 0), c.xs[0]!)),
  Cos: unary((x) => x.cos()),
  Div: pair((a, b) => a.div(b)),
  Equal: pair((a, b) => a.equal(b)),
  Erf: unary((x) => x.erf()),
  Exp: unary((x) => x.exp()),
  Expand: (c) => {
    const [x] = c.xs as [Tensor];
    const shape = ints(c, "shape", 1);
    return shape && x.shape.length <= shape.length
      ? x.expand(shape.map((n, d) => Math.max(n, x.shape[d - shape.length + x.shape.length] ?? 1)))
      : undefined;
  },
  Flatten: (c) => {
    const [x] = c.xs as [Tensor];
    const axis = positive(int(c, "axis", 1), x);
    return x.reshape([size(x.shape.slice(0, axis)), size(x.shape.slice(axis))]);
  },
  Gather: gather,
  GatherElements: gatherElements,
  Gelu: (c) => (c.node.attrs["approximate"] === "tanh" ? gelu(c.xs[0]!) : geluErf(c.xs[0]!)),
  Gemm: gemm,
  Greater: pair((a, b) => a.greater(b)),
  GreaterOrEqual: pair((a, b) => b.lessEqual(a)),
  Identity: unary((x) => x),
  LayerNormalization: normalise,
  Less: pair((a, b) => a.less(b)),
  LessOrEqual: pair((a, b) => a.lessEqual(b)),
  Log: unary((x) => x.log()),
  LogSoftmax: along((x) => x.logSoftmax()),
  MatMul: ({ xs: [a, b] }) => (Math.min(a!.shape.length, b!.shape.length) < 2 ? undefined : a!.matmul(b!)),
  Max: many((a, b) => a.maximum(b)),
  Mean: ({ xs }) => xs.reduce((a, b) => a.add(b)).div(xs.length),
  Min: many((a, b) => a.minimum(b)),
  Mul: pair((a, b) => a.mul(b)),
  Neg: unary((x) => x.neg()),
  Not: unary((x) => x.not()),
  Or: pair((a, b) => a.or(b)),
  Reciprocal: unary((x) => constant(1, { dtype: x.dtype, shape: [] }).div(x)),
  ReduceMax: reduction((x, axes, o) => x.max(axes, o)),
  ReduceMean: reduction((x, axes, o) => x.mean(axes, o)),
  ReduceSum: reduction((x, axes, o) => x.sum(axes, o)),
  ReduceSumSquare: reduction((x, axes, o) => x.square().sum(axes, o)),
  Relu: unary((x) => x.relu()),
  Reshape: reshape,
  ScatterND: scatterNd,
  Sigmoid: unary((x) => x.sigmoid()),
  Sign: unary((x) => x.sign()),
  Sin: unary((x) => x.sin()),
  Slice: slice,
  Softmax: along((x) => x.softmax()),
  SoftmaxCrossEntropyLoss: lossOf,
  Split: split,
  Sqrt: unary((x) => x.sqrt()),
  Squeeze: squeeze,
  Sub: pair((a, b) => a.sub(b)),
  Sum: many((a, b) => a.add(b)),
  Swish: unary((x) => silu(x)),
  Tanh: unary((x) => x.tanh()),
  Transpose: (c) => c.xs[0]!.transpose((c.node.attrs["perm"] as number[]) ?? reversed(c.xs[0]!)),
  Unsqueeze: unsqueeze,
  Where: ({ xs: [condition, a, b] }) => where(condition!, a!, b!),
};
