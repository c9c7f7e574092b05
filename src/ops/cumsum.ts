/** Running sums. */
import { constant, fail, type Op, op, show, size, type Tensor } from "../ir/index.js";
import { add, cast, sub } from "./elementwise.js";
import { matmul } from "./linalg.js";
import { sum } from "./reduce.js";
import { expand, reshape, transpose } from "./shape.js";

/** Each element plus all before it along one axis. */
export const cumsum: Op<[Tensor], { readonly axis: number }> = op<[Tensor], { readonly axis: number }>({
  name: "cumsum",
  type: ([x], { axis }) => {
    if (x.shape[axis] === undefined) throw fail("shape", `cumsum: ${show(x)} has no axis ${axis}`);
    return x;
  },
  ref([x], { axis }) {
    const y = x.data.slice();
    const step = size(x.shape.slice(axis + 1));
    for (let i = 0; i < y.length; i++) if (Math.floor(i / step) % x.shape[axis]! > 0) y[i]! += y[i - step]!;
    return y;
  },
  lower([x], { axis }) {
    const n = x.shape[axis]!;
    const last = x.shape.map((_, d) => d).filter((d) => d !== axis);
    const order = [...last, axis];
    const rows = reshape(transpose(cast(x, { to: "f32" }), { order }), { shape: [size(x.shape) / Math.max(n, 1), n] });
    const triangle = constant(
      Float64Array.from({ length: n * n }, (_, i) => (Math.floor(i / n) <= i % n ? 1 : 0)),
      { dtype: "f32", shape: [n, n] },
    );
    const sums = reshape(matmul(rows, triangle, {}), { shape: order.map((d) => x.shape[d]!) });
    return cast(transpose(sums, { order: x.shape.map((_, d) => order.indexOf(d)) }), { to: x.dtype });
  },
  vjp(g, _, __, { axis }) {
    const total = expand(sum(g, { axes: [axis], keep: true }), { shape: g.shape });
    return [add(sub(total, cumsum(g, { axis })), g)];
  },
  onnx: (e, [x], { axis }) => e.node("CumSum", [x!, e.constant("i64", [], axis)]),
  samples: [
    { inputs: [[3, 4]], attrs: { axis: 1 } },
    { inputs: [[3, 2, 2]], attrs: { axis: 0 } },
    { inputs: [{ shape: [2, 5], dtype: "i32", low: 0, high: 3 }], attrs: { axis: 1 }, grad: false },
  ],
});
