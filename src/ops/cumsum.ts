/** Running sums. */
import { constant, fail, type Op, op, show, size, type Tensor } from "../ir/index.js";
import { add, sub } from "./elementwise.js";
import { sum } from "./reduce.js";
import { concat, expand, slice } from "./shape.js";

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
  // each round adds what lies twice as far back (Hillis and Steele 1986)
  lower([x], { axis }) {
    const n = x.shape[axis]!;
    let y = x;
    for (let back = 1; back < n; back *= 2) {
      const none = constant(0, { dtype: x.dtype, shape: x.shape.map((m, d) => (d === axis ? back : m)) });
      y = add(y, concat([none, slice(y, { axis, start: 0, end: n - back })], axis));
    }
    return y;
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
