/** Matrix products. */
import { type Emitter, fail, type Op, op, type Shape, show, size, type Tensor, type Type } from "../ir/index.js";
import { broadcast, expanded, indices, sameDtype, strides } from "./broadcast.js";
import { lift, mul } from "./elementwise.js";
import { reshape, transpose } from "./shape.js";

/** Either side may be read transposed, and the product scaled, without a copy. */
export interface MatmulAttrs {
  readonly transposeLeft?: boolean;
  readonly transposeRight?: boolean;
  readonly scale?: number;
}

/** The permutation that swaps the last two axes. */
export const swapped = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
const T = (x: Tensor): Tensor => transpose(x, { order: swapped(x.shape.length) });

const sizes = (x: Shape, transposed = false): [rows: number, columns: number] =>
  transposed ? [x.at(-1)!, x.at(-2)!] : [x.at(-2)!, x.at(-1)!];

/** Matrix product over the last two axes; leading axes broadcast. */
export const matmul: Op<[x: Tensor, w: Tensor], MatmulAttrs> = op<[x: Tensor, w: Tensor], MatmulAttrs>({
  name: "matmul",
  type([x, w], { transposeLeft, transposeRight }) {
    sameDtype("matmul", x, w);
    if (x.shape.length < 2 || w.shape.length < 2)
      throw fail(
        "shape",
        `matmul: ${show(x)} by ${show(w)}: both sides need two axes or more`,
        "reshape a vector to [1, n] or [n, 1]",
      );
    const [m, k] = sizes(x.shape, transposeLeft);
    const [l, n] = sizes(w.shape, transposeRight);
    if (k !== l)
      throw fail(
        "shape",
        `matmul: ${show(x)} by ${show(w)}: inner sizes ${k} and ${l} differ`,
        n === k ? "the right side looks transposed: use w.T" : undefined,
      );
    const lead = (t: Type) => ({ ...t, shape: t.shape.slice(0, -2) });
    return { dtype: x.dtype, shape: [...broadcast("matmul", lead(x), lead(w)), m, n] };
  },
  ref([x, w], { transposeLeft, transposeRight, scale = 1 }, [out]) {
    const lead = out!.shape.slice(0, -2);
    const flat = (v: typeof x, t = false) => {
      const last = swapped(v.shape.length);
      const shape = [...lead, ...sizes(v.shape, t)];
      if (!t) return { shape, data: expanded(v, [...lead, ...v.shape.slice(-2)]) };
      const own = strides(v.shape);
      const turned = {
        shape: last.map((d) => v.shape[d]!),
        data: Float64Array.from(
          indices(
            last.map((d) => v.shape[d]!),
            last.map((d) => own[d]!),
          ),
          (i) => v.data[i]!,
        ),
      };
      return { shape, data: expanded(turned, shape) };
    };
    return product(
      flat(x, transposeLeft).data,
      flat(w, transposeRight).data,
      size(lead),
      sizes(x.shape, transposeLeft),
      out!.shape.at(-1)!,
      scale,
    );
  },
  vjp(g, [x, w], _, { transposeLeft, transposeRight, scale = 1 }) {
    // rows of a batch that share one matrix are one long batch of rows
    const flat = w.shape.length === 2 && x.shape.length > 2 && !transposeLeft;
    const rows = (t: Tensor) => (flat ? reshape(t, { shape: [size(t.shape.slice(0, -1)), t.shape.at(-1)!] }) : t);
    const scaled = (t: Tensor) => (scale === 1 ? t : mul(t, lift(scale, t)));
    const right = transposeRight ? w : T(w);
    const left = transposeLeft ? x : T(rows(x));
    const dx = scaled(matmul(g, right, {}));
    const dw = scaled(matmul(left, rows(g), {}));
    return [transposeLeft ? T(dx) : dx, transposeRight ? T(dw) : dw];
  },
  onnx(e, [x, w], { transposeLeft, transposeRight, scale = 1 }, { inputs: [a, b] }) {
    if (!transposeLeft && !transposeRight && scale === 1) return e.node("MatMul", [x!, w!]);
    if (e.contrib)
      return e.node(
        "FusedMatMul",
        [x!, w!],
        { transA: transposeLeft ? 1 : 0, transB: transposeRight ? 1 : 0, alpha: { float: scale } },
        "com.microsoft",
      );
    return plain(e, turn(e, x!, a!, transposeLeft), turn(e, w!, b!, transposeRight), scale);
  },
  cost: ([x], [out], { transposeLeft }) => 2 * size(out!.shape) * sizes(x.shape, transposeLeft)[1],
  samples: [
    {
      inputs: [
        [2, 3],
        [3, 4],
      ],
      attrs: {},
    },
    {
      inputs: [
        [5, 2, 3],
        [5, 3, 4],
      ],
      attrs: {},
    },
    {
      inputs: [
        [5, 2, 3],
        [3, 4],
      ],
      attrs: {},
    },
    {
      inputs: [
        [2, 1, 2, 3],
        [5, 3, 4],
      ],
      attrs: {},
    },
    {
      inputs: [
        [3, 2],
        [3, 4],
      ],
      attrs: { transposeLeft: true },
    },
    {
      inputs: [
        [5, 2, 3],
        [4, 3],
      ],
      attrs: { transposeRight: true, scale: 0.5 },
    },
    {
      inputs: [
        [5, 3, 2],
        [5, 4, 3],
      ],
      attrs: { transposeLeft: true, transposeRight: true },
    },
    {
      inputs: [
        [17, 33],
        [33, 19],
      ],
      attrs: {},
    },
    {
      inputs: [
        [0, 3],
        [3, 4],
      ],
      attrs: {},
      grad: false,
    },
  ],
});

function product(
  x: Float64Array,
  w: Float64Array,
  batches: number,
  [m, k]: readonly [number, number],
  n: number,
  scale: number,
): Float64Array {
  const y = new Float64Array(batches * m * n);
  for (let b = 0; b < batches; b++)
    for (let i = 0; i < m; i++) {
      const row = y.subarray((b * m + i) * n, (b * m + i + 1) * n);
      for (let c = 0; c < k; c++) {
        const a = scale * x[(b * m + i) * k + c]!;
        const from = (b * k + c) * n;
        for (let j = 0; j < n; j++) row[j]! += a * w[from + j]!;
      }
    }
  return y;
}

const turn = (e: Emitter, name: string, type: Type, transposed = false): string =>
  transposed ? e.node("Transpose", [name], { perm: swapped(type.shape.length) }) : name;
function plain(e: Emitter, x: string, w: string, scale: number): string {
  const y = e.node("MatMul", [x, w]);
  return scale === 1 ? y : e.node("Mul", [y, e.constant("f32", [], scale)]);
}
