/** Attention and rotary positions. */
import { constant, f32, fail, type Op, op, type Shape, show, size, type Tensor } from "../ir/index.js";
import { softmax } from "./activation.js";
import { add, cast, cos, mul, neg, sin, sub } from "./elementwise.js";
import { matmul } from "./linalg.js";
import { sum } from "./reduce.js";
import { concat, reshape, split } from "./shape.js";

/**
 * Scaled dot-product attention (Vaswani et al. 2017): q [B H T D], k and v [B H S D], and a mask added to the scores,
 * broadcastable to [B H T S], to [B H T D] and the probabilities [B H T S].
 */
export const attention: Op<
  [q: Tensor, k: Tensor, v: Tensor, mask: Tensor],
  { readonly scale: number },
  readonly [Tensor, Tensor]
> = op<[q: Tensor, k: Tensor, v: Tensor, mask: Tensor], { readonly scale: number }, readonly [Tensor, Tensor]>({
  name: "attention",
  type([q, k, v]) {
    const [B, H, T, D] = q.shape;
    const [b, h, S, d] = k.shape;
    if (q.shape.length !== 4 || B !== b || H !== h || D !== d || v.shape.slice(0, 3).join() !== [b, h, S].join())
      throw fail(
        "shape",
        `attention: q ${show(q)}, k ${show(k)}, v ${show(v)} are not [B H T D], [B H S D], [B H S D]`,
      );
    return [
      { ...v, shape: [B!, H!, T!, v.shape[3]!] },
      { ...q, shape: [B!, H!, T!, S!] },
    ];
  },
  lower([q, k, v, mask], { scale }) {
    const scores = matmul(q, k, { transposeRight: true, scale });
    const probabilities = softmax(add(scores, mask));
    return [matmul(probabilities, v, {}), probabilities];
  },
  vjp([g, gp], [q, k, v, mask], [y, p], { scale }) {
    if (!g || gp) throw fail("internal", "attention: only the value has a gradient, not the probabilities");
    // the row sum of dp ∘ p equals that of g ∘ y, which is smaller
    const delta = sum(mul(g, y), { axes: [3], keep: true });
    const ds = mul(p, sub(matmul(g, v, { transposeRight: true }), delta));
    const dmask = mask.shape.length ? ds : sum(ds, { axes: [0, 1, 2, 3], keep: false });
    return [
      matmul(ds, k, { scale }),
      matmul(ds, q, { transposeLeft: true, scale }),
      matmul(p, g, { transposeLeft: true }),
      dmask,
    ];
  },
  cost: ([q, k, v]) =>
    2 * size(q.shape) * k.shape[2]! + 2 * q.shape[2]! * size(v.shape) + 5 * size(q.shape.slice(0, 3)) * k.shape[2]!,
  samples: [
    {
      inputs: [
        [2, 2, 3, 4],
        [2, 2, 3, 4],
        [2, 2, 3, 4],
        [2, 1, 3, 3],
      ],
      attrs: { scale: 0.5 },
    },
    { inputs: [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4], []], attrs: { scale: 0.5 } },
  ],
});

/** Rotary positions (Su et al. 2021), halves turned as in Llama: x [B H T D], positions i32 [B T]. */
export const rotary: Op<[x: Tensor, positions: Tensor], { readonly base: number }> = op<
  [x: Tensor, positions: Tensor],
  { readonly base: number }
>({
  name: "rotary",
  type([x, positions]) {
    if (x.shape.length !== 4 || x.shape[3]! % 2 || positions.shape.join() !== [x.shape[0], x.shape[2]].join())
      throw fail(
        "shape",
        `rotary: x ${show(x)} is not [B H T D] with D even, or positions ${show(positions)} not [B T]`,
      );
    return x;
  },
  lower([x, positions], { base }) {
    const [B, , T, D] = x.dims("B H T D");
    const half = D / 2;
    const rates = constant(
      Array.from({ length: half }, (_, i) => base ** ((-2 * i) / D)),
      f32([half]),
    );
    const angles = mul(reshape(cast(positions, { to: x.dtype }), { shape: [B, 1, T, 1] }), rates);
    return turned(x, cos(angles), sin(angles));
  },
  vjp(g, [, positions], _, { base }) {
    return [rotary(g, neg(positions), { base }), null];
  },
  cost: ([x]) => 3 * size(x.shape),
  samples: [
    { inputs: [[2, 1, 3, 4], { shape: [2, 3] as Shape, dtype: "i32", low: 0, high: 5 }], attrs: { base: 10000 } },
  ],
});

function turned(x: Tensor, c: Tensor, s: Tensor): Tensor {
  const half = x.shape[3]! / 2;
  const [a, b] = split(x, { axis: 3, sizes: [half, half] }) as [Tensor, Tensor];
  return concat([sub(mul(a, c), mul(b, s)), add(mul(b, c), mul(a, s))], 3);
}
