/** Ops that move elements without changing them. */
import { apply, constant, fail, type Op, op, type Shape, show, size, type Tensor } from "../ir/index.js";
import { broadcast, expanded, indices, strides } from "./broadcast.js";

/** The same elements, row-major, in another shape. */
export const reshape: Op<[Tensor], { readonly shape: Shape }> = op<[Tensor], { readonly shape: Shape }>({
  name: "reshape",
  type([x], { shape }) {
    if (size(x.shape) !== size(shape))
      throw fail("shape", `reshape: ${show(x)} holds ${size(x.shape)} elements, [${shape.join(",")}] ${size(shape)}`);
    return { dtype: x.dtype, shape };
  },
  ref: ([x]) => x.data,
  vjp: (g, [x]) => [reshape(g, { shape: x.shape })],
  onnx: (e, [x], { shape }) => e.node("Reshape", [x!, e.shape(shape)], { allowzero: 1 }),
  cost: () => 0,
  samples: [
    { inputs: [[2, 6]], attrs: { shape: [3, 4] } },
    { inputs: [[1, 1]], attrs: { shape: [] } },
    { inputs: [[2, 0]], attrs: { shape: [0, 5] }, grad: false },
  ],
});

/** Axes in another order: axis `i` of the result is axis `order[i]` of `x`. */
export const transpose: Op<[Tensor], { readonly order: readonly number[] }> = op<
  [Tensor],
  { readonly order: readonly number[] }
>({
  name: "transpose",
  type([x], { order }) {
    if (
      order.length !== x.shape.length ||
      new Set(order).size !== order.length ||
      order.some((d) => x.shape[d] === undefined)
    )
      throw fail("shape", `transpose: [${order.join(",")}] is no order of the axes of ${show(x)}`);
    return { dtype: x.dtype, shape: order.map((d) => x.shape[d]!) };
  },
  ref([x], { order }, [out]) {
    const own = strides(x.shape);
    return Float64Array.from(
      indices(
        out!.shape,
        order.map((d) => own[d]!),
      ),
      (i) => x.data[i]!,
    );
  },
  vjp: (g, _, __, { order }) => [transpose(g, { order: order.map((_, i) => order.indexOf(i)) })],
  onnx: (e, [x], { order }) => e.node("Transpose", [x!], { perm: order }),
  cost: () => 0,
  samples: [
    { inputs: [[2, 3, 4]], attrs: { order: [2, 0, 1] } },
    { inputs: [[1, 3]], attrs: { order: [1, 0] } },
  ],
});

/** `x`, once `other` is there: what an order of execution must keep to, and no number depends on. */
export const after: Op<[x: Tensor, other: Tensor]> = op<[x: Tensor, other: Tensor]>({
  name: "after",
  type: ([x]) => x,
  ref: ([x]) => x.data,
  vjp: (g) => [g, null],
  onnx: (e, [x]) => e.node("Identity", [x!]),
  cost: () => 0,
  samples: [{ inputs: [[2, 3], [1]] }],
});

/** `x` repeated to a shape it broadcasts to. */
export const expand: Op<[Tensor], { readonly shape: Shape }> = op<[Tensor], { readonly shape: Shape }>({
  name: "expand",
  type([x], { shape }) {
    const common = broadcast("expand", x, { ...x, shape });
    if (size(common) !== size(shape) || common.length !== shape.length)
      throw fail("shape", `expand: ${show(x)} does not repeat to [${shape.join(",")}]`);
    return { dtype: x.dtype, shape };
  },
  ref: ([x], { shape }) => expanded(x, shape),
  vjp: (g) => [g],
  onnx: (e, [x], { shape }) => e.node("Expand", [x!, e.shape(shape)]),
  cost: () => 0,
  samples: [
    { inputs: [[2, 1]], attrs: { shape: [2, 3] } },
    { inputs: [[]], attrs: { shape: [2, 3] } },
  ],
});

/** Elements `start` to `end` (not included) of one axis. */
export const slice: Op<[Tensor], { readonly axis: number; readonly start: number; readonly end: number }> = op<
  [Tensor],
  { readonly axis: number; readonly start: number; readonly end: number }
>({
  name: "slice",
  type([x], { axis, start, end }) {
    const n = x.shape[axis];
    if (n === undefined || start < 0 || end > n || start > end)
      throw fail("shape", `slice: ${start} to ${end} of axis ${axis} is outside ${show(x)}`);
    return { dtype: x.dtype, shape: x.shape.map((m, d) => (d === axis ? end - start : m)) };
  },
  ref([x], { axis, start }, [out]) {
    const own = strides(x.shape);
    return Float64Array.from(indices(out!.shape, own), (i) => x.data[i + start * own[axis]!]!);
  },
  vjp(g, [x], _, { axis, start, end }) {
    const zero = (n: number) => expand(lift0(g), { shape: x.shape.map((m, d) => (d === axis ? n : m)) });
    const parts = [zero(start), g, zero(x.shape[axis]! - end)].filter((t) => t.shape[axis]! > 0);
    return [parts.length === 1 ? parts[0]! : concat(parts, axis)];
  },
  onnx(e, [x], { axis, start, end }) {
    return e.node("Slice", [x!, e.shape([start]), e.shape([end]), e.constant("i64", [1], [axis])]);
  },
  cost: () => 0,
  samples: [
    { inputs: [[4, 3]], attrs: { axis: 0, start: 1, end: 3 } },
    { inputs: [[4, 3]], attrs: { axis: 1, start: 0, end: 3 } },
  ],
});

type SplitAttrs = { readonly axis: number; readonly sizes: readonly number[] };
/** Consecutive pieces of one axis, as several outputs. */
export const split: Op<[Tensor], SplitAttrs, readonly Tensor[]> = op<[Tensor], SplitAttrs, readonly Tensor[]>({
  name: "split",
  type([x], { axis, sizes }) {
    if (x.shape[axis] !== sizes.reduce((a, b) => a + b, 0))
      throw fail("shape", `split: pieces ${sizes.join(" + ")} do not make axis ${axis} of ${show(x)}`);
    return sizes.map((n) => ({ dtype: x.dtype, shape: x.shape.map((m, d) => (d === axis ? n : m)) }));
  },
  ref([x], { axis, sizes }, outs) {
    const own = strides(x.shape);
    let start = 0;
    return outs.map((out, k) => {
      const from = start * own[axis]!;
      start += sizes[k]!;
      return Float64Array.from(indices(out.shape, own), (i) => x.data[i + from]!);
    });
  },
  vjp: (gs, _, ys, { axis }) => [
    concat(
      gs.map((g, k) => g ?? expand(lift0(ys[k]!), { shape: ys[k]!.shape })),
      axis,
    ),
  ],
  onnx: (e, [x], { axis, sizes }) => e.many(sizes.length, "Split", [x!, e.shape(sizes)], { axis }),
  cost: () => 0,
  samples: [
    { inputs: [[5, 2]], attrs: { axis: 0, sizes: [2, 3] } },
    { inputs: [[2, 6]], attrs: { axis: 1, sizes: [2, 2, 2] } },
  ],
});

const concatenate = op<readonly Tensor[] & [Tensor, Tensor], { readonly axis: number }>({
  name: "concat",
  type(xs, { axis }) {
    const [first] = xs;
    for (const x of xs)
      if (
        x.shape.length !== first!.shape.length ||
        x.dtype !== first!.dtype ||
        x.shape.some((n, d) => d !== axis && n !== first!.shape[d])
      )
        throw fail("shape", `concat: ${show(first!)} and ${show(x)} differ off axis ${axis}`);
    return {
      dtype: first!.dtype,
      shape: first!.shape.map((n, d) => (d === axis ? xs.reduce((a, x) => a + x.shape[d]!, 0) : n)),
    };
  },
  ref(xs, { axis }, [out]) {
    const y = new Float64Array(size(out!.shape));
    const own = strides(out!.shape);
    let start = 0;
    for (const x of xs) {
      const at = indices(x.shape, own);
      for (let i = 0; i < at.length; i++) y[at[i]! + start * own[axis]!] = x.data[i]!;
      start += x.shape[axis]!;
    }
    return y;
  },
  vjp: (g, xs, _, { axis }) => {
    const parts = split(g, { axis, sizes: xs.map((x) => x.shape[axis]!) });
    return (Array.isArray(parts) ? parts : [parts]) as unknown as [Tensor, Tensor];
  },
  onnx: (e, xs, { axis }) => e.node("Concat", xs, { axis }),
  cost: () => 0,
  samples: [
    {
      inputs: [
        [2, 3],
        [1, 3],
      ],
      attrs: { axis: 0 },
    },
    {
      inputs: [
        [2, 3],
        [2, 1],
      ],
      attrs: { axis: 1 },
    },
  ],
});
/** Tensors one after the other along `axis`; other sizes must agree. */
export const concat = (xs: readonly Tensor[], axis: number): Tensor => apply(concatenate, xs, { axis })[0]!;
export const concatOp = concatenate;

/** Zero, in the type of `like`. */
const lift0 = (like: Tensor): Tensor => constant(0, { dtype: like.dtype, shape: [] });
