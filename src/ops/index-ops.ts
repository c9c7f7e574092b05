/** Ops that read and write by index. */
import { constant, fail, type Op, op, type Shape, show, size, type Tensor, type Type } from "../ir/index.js";

/** Rows of `rows` by index along axis 0: `[V …]` by i32 `[…ids]` to `[…ids …]`; the gradient adds them back. */
export const gather: Op<[rows: Tensor, ids: Tensor]> = op<[rows: Tensor, ids: Tensor]>({
  name: "gather",
  type([rows, ids]) {
    if (ids.dtype !== "i32" && ids.dtype !== "i64")
      throw fail("dtype", `gather: indices are ${show(ids)}, not whole numbers`);
    if (!rows.shape.length) throw fail("shape", "gather: a scalar has no rows");
    return { dtype: rows.dtype, shape: [...ids.shape, ...rows.shape.slice(1)] };
  },
  ref([rows, ids], _, [out]) {
    const n = size(rows.shape.slice(1));
    const y = new Float64Array(size(out!.shape));
    ids.data.forEach((id, i) => {
      const at = inside("gather", id, rows.shape[0]!) * n;
      y.set(rows.data.subarray(at, at + n), i * n);
    });
    return y;
  },
  vjp: (g, [rows, ids]) => [scatterAdd(constant(0, rows.type), ids, g), null],
  onnx: "Gather",
  cost: () => 0,
  samples: [{ inputs: [[4, 3], ids([2, 2], 4)] }, { inputs: [[4], ids([3], 4)] }],
});

/** `base [V …]` with each row of `updates [N… …]` added at its index `ids [N…]`; indices may repeat. */
export const scatterAdd: Op<[base: Tensor, ids: Tensor, updates: Tensor]> = op<
  [base: Tensor, ids: Tensor, updates: Tensor]
>({
  name: "scatterAdd",
  type([base, ids, updates]) {
    const want = [...ids.shape, ...base.shape.slice(1)];
    if (want.join() !== updates.shape.join())
      throw fail(
        "shape",
        `scatterAdd: ${show(ids)} into ${show(base)} needs updates [${want.join(",")}], got ${show(updates)}`,
      );
    return base;
  },
  ref([base, ids, updates]) {
    const n = size(base.shape.slice(1));
    const y = base.data.slice();
    ids.data.forEach((id, i) => {
      const at = inside("scatterAdd", id, base.shape[0]!) * n;
      for (let j = 0; j < n; j++) y[at + j]! += updates.data[i * n + j]!;
    });
    return y;
  },
  vjp: (g, [, ids]) => [g, null, gather(g, ids)],
  onnx(e, [base, indices, updates], _, { inputs: [rows, at] }) {
    const [total, width] = [size(rows!.shape), size(rows!.shape.slice(1))];
    const flat = (name: string, n: number) => e.node("Reshape", [name, e.constant("i64", [1], [n])], { allowzero: 1 });
    // element by element: ScatterND loses updates of repeated rows in ONNX Runtime, whose threads race for them
    const dtype = total < 2 ** 31 ? "i32" : "i64";
    const ids = at!.dtype === dtype ? indices! : e.node("Cast", [indices!], { to: dtype === "i32" ? 6 : 7 });
    const column = e.node("Reshape", [ids, e.constant("i64", [2], [size(at!.shape), 1])], { allowzero: 1 });
    const starts = e.node("Mul", [column, e.constant(dtype, [], width)]);
    const offsets = e.constant(
      dtype,
      [1, width],
      Array.from({ length: width }, (_, i) => i),
    );
    const places = flat(e.node("Add", [starts, offsets]), size(at!.shape) * width);
    const inputs = [flat(base!, total), places, flat(updates!, size(at!.shape) * width)];
    const sum = e.node("ScatterElements", inputs, { axis: 0, reduction: "add" });
    return e.node("Reshape", [sum, e.constant("i64", [rows!.shape.length], rows!.shape)], { allowzero: 1 });
  },
  cost: ([, , updates]) => size(updates.shape),
  samples: [{ inputs: [[4, 3], ids([5], 4), [5, 3]] }, { inputs: [[4], ids([2, 3], 4), [2, 3]] }],
});

/** One element of the last axis for each place of the others: `[… V]` by i32 `[…]` to `[…]`. */
export const gatherLast: Op<[x: Tensor, ids: Tensor]> = op<[x: Tensor, ids: Tensor]>({
  name: "gatherLast",
  type: ([x, at]) => ({ dtype: x.dtype, shape: lead("gatherLast", x.shape, at.shape) }),
  ref([x, at]) {
    const n = x.shape.at(-1)!;
    return at.data.map((id, i) => x.data[i * n + inside("gatherLast", id, n)]!);
  },
  vjp: (g, [x, at]) => [scatterLast(constant(0, x.type), at, g), null],
  onnx: (e, [x, at], _, { inputs: [, type] }) => {
    const picked = e.node("GatherElements", [x!, column(e, at!, type!.shape)], { axis: -1 });
    return e.node("Reshape", [picked, e.constant("i64", [type!.shape.length], type!.shape)], { allowzero: 1 });
  },
  cost: () => 0,
  samples: [{ inputs: [[3, 5], ids([3], 5)] }, { inputs: [[2, 3, 5], ids([2, 3], 5)] }],
});

/** `base [… V]` with `updates […]` added, one at index `ids […]` of each last axis. */
export const scatterLast: Op<[base: Tensor, ids: Tensor, updates: Tensor]> = op<
  [base: Tensor, ids: Tensor, updates: Tensor]
>({
  name: "scatterLast",
  type: ([base, at, updates]) => {
    lead("scatterLast", base.shape, at.shape);
    lead("scatterLast", base.shape, updates.shape);
    return base;
  },
  ref([base, at, updates]) {
    const n = base.shape.at(-1)!;
    const y = base.data.slice();
    at.data.forEach((id, i) => {
      y[i * n + inside("scatterLast", id, n)]! += updates.data[i]!;
    });
    return y;
  },
  vjp: (g, [, at]) => [g, null, gatherLast(g, at)],
  onnx: (e, [base, at, updates], _, { inputs: [, type] }) =>
    e.node("ScatterElements", [base!, column(e, at!, type!.shape), column(e, updates!, type!.shape)], {
      axis: -1,
      reduction: "add",
    }),
  cost: ([, at]) => size(at.shape),
  samples: [{ inputs: [[3, 5], ids([3], 5), [3]] }, { inputs: [[2, 3, 5], ids([2, 3], 5), [2, 3]] }],
});

type Span = { readonly axis: number };

/** `x` from index `at` on, `count` places along an axis: `at` is i32 `[]`, from 0. */
export const sliceAt: Op<[x: Tensor, at: Tensor], Span & { readonly count: number }> = op<
  [x: Tensor, at: Tensor],
  Span & { readonly count: number }
>({
  name: "sliceAt",
  type([x, at], { axis, count }) {
    const shape = x.shape.map((n, d) => (d === axis ? count : n));
    spanned("sliceAt", x, at, { axis, shape });
    return { dtype: x.dtype, shape };
  },
  ref([x, at], { axis, count }, [out]) {
    const [outer, length, inner] = around(x.shape, axis);
    const start = inside("sliceAt", at.data[0]!, length - count + 1);
    const y = new Float64Array(size(out!.shape));
    for (let i = 0; i < outer; i++) {
      const from = (i * length + start) * inner;
      y.set(x.data.subarray(from, from + count * inner), i * count * inner);
    }
    return y;
  },
  vjp: (g, [x, at], _, { axis }) => [writeAt(constant(0, x.type), at, g, { axis }), null],
  onnx: (e, [x, at], { axis, count }) => e.node("Gather", [x!, places(e, at!, [count])], { axis }),
  cost: () => 0,
  samples: [
    { inputs: [[2, 5, 3], ids([], 3)], attrs: { axis: 1, count: 3 } },
    { inputs: [[4], ids([], 4)], attrs: { axis: 0, count: 1 } },
  ],
});

/** `base` with `values` in the place of what it had from index `at` on along an axis: `at` is i32 `[]`, from 0. */
export const writeAt: Op<[base: Tensor, at: Tensor, values: Tensor], Span> = op<
  [base: Tensor, at: Tensor, values: Tensor],
  Span
>({
  name: "writeAt",
  type([base, at, values], { axis }) {
    spanned("writeAt", base, at, { axis, shape: values.shape });
    return base;
  },
  ref([base, at, values], { axis }) {
    const [outer, length, inner] = around(base.shape, axis);
    const count = values.shape[axis]!;
    const start = inside("writeAt", at.data[0]!, length - count + 1);
    const y = base.data.slice();
    for (let i = 0; i < outer; i++) {
      const from = i * count * inner;
      y.set(values.data.subarray(from, from + count * inner), (i * length + start) * inner);
    }
    return y;
  },
  vjp(g, [, at, values], _, { axis }) {
    return [
      writeAt(g, at, constant(0, values.type), { axis }),
      null,
      sliceAt(g, at, { axis, count: values.shape[axis]! }),
    ];
  },
  onnx(e, [base, at, values], { axis }, { inputs: [, , type] }) {
    const { shape } = type!;
    const along = shape.map((n, d) => (d === axis ? n : 1));
    const indices = e.node("Expand", [places(e, at!, along), e.constant("i64", [shape.length], shape)]);
    return e.node("ScatterElements", [base!, indices, values!], { axis });
  },
  cost: () => 0,
  samples: [
    { inputs: [[2, 5, 3], ids([], 3), [2, 3, 3]], attrs: { axis: 1 } },
    { inputs: [[4], ids([], 4), [1]], attrs: { axis: 0 } },
  ],
});

/** An index and those that follow it, as a constant's shape says. */
const places = (e: E, at: string, shape: Shape): string =>
  e.node("Add", [
    at,
    e.constant(
      "i32",
      shape,
      Array.from({ length: size(shape) }, (_, i) => i),
    ),
  ]);

/** Elements in front of an axis, along it and behind it. */
const around = (shape: Shape, axis: number): [outer: number, length: number, inner: number] => [
  size(shape.slice(0, axis)),
  shape[axis]!,
  size(shape.slice(axis + 1)),
];

/** Throws unless a value of this shape fits somewhere along an axis of `x`. */
function spanned(name: string, x: Type, at: Type, { axis, shape }: Span & { readonly shape: Shape }): void {
  if (at.dtype !== "i32" || at.shape.length) throw fail("dtype", `${name}: the index is ${show(at)}, not i32[]`);
  const fits =
    shape.length === x.shape.length && shape.every((n, d) => (d === axis ? n <= x.shape[d]! : n === x.shape[d]));
  if (!fits || x.shape[axis] === undefined)
    throw fail("shape", `${name}: [${shape.join(",")}] is no part of ${show(x)} along axis ${axis}`);
}

function ids(shape: Shape, high: number) {
  return { shape, dtype: "i32", low: 0, high } as const;
}
function lead(name: string, x: Shape, at: Shape): Shape {
  if (x.slice(0, -1).join() !== at.join() || !x.length)
    throw fail(
      "shape",
      `${name}: one index for each of [${x.slice(0, -1).join(",")}] is needed, got [${at.join(",")}]`,
    );
  return at;
}
function inside(name: string, id: number, n: number): number {
  const at = id < 0 ? id + n : id;
  if (!(at >= 0 && at < n)) throw fail("feed", `${name}: index ${id} is outside 0 to ${n - 1}`);
  return at;
}
type E = Parameters<Extract<NonNullable<typeof gather.onnx>, (...a: never[]) => unknown>>[0];
const column = (e: E, name: string, shape: Shape) =>
  e.node("Reshape", [name, e.constant("i64", [shape.length + 1], [...shape, 1])], { allowzero: 1 });
