/** Attention, and its gradient. */
import { fail, type Op, op, show, size, type Tensor } from "../ir/index.js";
import { logSumExp, softmax } from "./activation.js";
import { broadcast } from "./broadcast.js";
import { add, mul, sub } from "./elementwise.js";
import { matmul } from "./linalg.js";
import { sum } from "./reduce.js";
import { expand, reshape } from "./shape.js";

type Heads = [q: Tensor, k: Tensor, v: Tensor, mask: Tensor];
type Scaled = { readonly scale: number };

/** The heads of `x` [B G S D], each for as many neighbours as make H of them. */
export function repeatHeads(x: Tensor, H: number): Tensor {
  const [B, G, S, D] = x.dims("B G S D");
  if (G === H) return x;
  const each = expand(reshape(x, { shape: [B, G, 1, S, D] }), { shape: [B, G, H / G, S, D] });
  return reshape(each, { shape: [B, H, S, D] });
}
/** What `repeatHeads` repeated, the gradient adds up. */
function gathered(x: Tensor, G: number): Tensor {
  const [B, H, S, D] = x.dims("B H S D");
  return G === H ? x : sum(reshape(x, { shape: [B, G, H / G, S, D] }), { axes: [2], keep: false });
}

const scores = (q: Tensor, k: Tensor, { mask, scale }: Scaled & { mask: Tensor }): Tensor =>
  add(matmul(q, repeatHeads(k, q.shape[1]!), { transposeRight: true, scale }), mask);

/** The probabilities, and the gradient of the masked scores that made them. */
function slope([q, k, v, mask]: Heads, y: Tensor, g: Tensor, { scale }: Scaled): { p: Tensor; ds: Tensor } {
  const p = softmax(scores(q, k, { mask, scale }));
  // the row sum of dp ∘ p equals that of g ∘ y, which is smaller
  const delta = sum(mul(g, y), { axes: [3], keep: true });
  return { p, ds: mul(p, sub(matmul(g, repeatHeads(v, q.shape[1]!), { transposeRight: true }), delta)) };
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017): q [B H T D], k [B G S D] and v [B G S E], H a multiple of G, which
 * neighbouring heads share (Ainslie et al. 2023), and a mask added to the scores, broadcastable to [B H T S]: to the value
 * [B H T E] and the logarithm of each row's sum of exponentials [B H T], from which a gradient finds the probabilities
 * again (Dao et al. 2022).
 */
export const attention: Op<Heads, Scaled, readonly [Tensor, Tensor]> = op<Heads, Scaled, readonly [Tensor, Tensor]>({
  name: "attention",
  type([q, k, v, mask]) {
    const [B, H, T, D] = q.shape;
    const [b, G, S, d] = k.shape;
    if (q.shape.length !== 4 || B !== b || H! % G! || D !== d || v.shape.slice(0, 3).join() !== [b, G, S].join())
      throw fail(
        "shape",
        `attention: q ${show(q)}, k ${show(k)}, v ${show(v)} are not [B H T D], [B G S D], [B G S E] with H a multiple of G`,
      );
    const rows = [B!, H!, T!];
    if (broadcast("attention", mask, { ...q, shape: [...rows, S!] }).join() !== [...rows, S!].join())
      throw fail("shape", `attention: mask ${show(mask)} does not repeat to [${[...rows, S!].join(",")}]`);
    return [
      { ...v, shape: [...rows, v.shape[3]!] },
      { ...q, shape: rows },
    ];
  },
  lower([q, k, v, mask], { scale }) {
    const masked = scores(q, k, { mask, scale });
    const y = matmul(softmax(masked), repeatHeads(v, q.shape[1]!), {});
    return [y, reshape(logSumExp(masked), { shape: q.shape.slice(0, 3) })];
  },
  vjp([g, gl], [q, k, v, mask], [y, lse], { scale }) {
    if (!g || gl) throw fail("internal", "attention: only the value has a gradient, not the scores' sum");
    const gradients = attentionGrad(q, k, v, mask, y, lse, g, { scale });
    return [...gradients, slope([q, k, v, mask], y, g, { scale }).ds];
  },
  cost: ([q, k, v]) =>
    2 * size(q.shape) * k.shape[2]! +
    2 * size(q.shape.slice(0, 3)) * k.shape[2]! * v.shape[3]! +
    5 * size(q.shape.slice(0, 3)) * k.shape[2]!,
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
    {
      inputs: [
        [2, 4, 3, 4],
        [2, 2, 5, 4],
        [2, 2, 5, 6],
        [3, 5],
      ],
      attrs: { scale: 0.5 },
    },
  ],
});

type Behind = [...Heads, y: Tensor, lse: Tensor, g: Tensor];
const lseOf = ([q, k, , mask]: readonly Tensor[]): Tensor => attention(q!, k!, k!, mask!, { scale: 0.5 })[1];
/** The gradient of `attention` for q, k and v from its inputs, its two outputs, and the value's cotangent g [B H T E]. */
export const attentionGrad: Op<Behind, Scaled, readonly [Tensor, Tensor, Tensor]> = op<
  Behind,
  Scaled,
  readonly [Tensor, Tensor, Tensor]
>({
  name: "attentionGrad",
  type: ([q, k, v]) => [q, k, v],
  lower([q, k, v, mask, y, , g], { scale }) {
    const { p, ds } = slope([q, k, v, mask], y, g, { scale });
    const G = k.shape[1]!;
    return [
      matmul(ds, repeatHeads(k, q.shape[1]!), { scale }),
      gathered(matmul(ds, q, { transposeLeft: true, scale }), G),
      gathered(matmul(p, g, { transposeLeft: true }), G),
    ];
  },
  cost: ([q, k, , , , , g]) =>
    4 * (size(q.shape) + size(g.shape)) * k.shape[2]! + 2 * size(g.shape) + 2 * size(q.shape.slice(0, 3)) * k.shape[2]!,
  samples: [
    {
      inputs: [
        [2, 2, 3, 4],
        [2, 2, 3, 4],
        [2, 2, 3, 4],
        [2, 1, 3, 3],
        [2, 2, 3, 4],
        { shape: [2, 2, 3], of: lseOf },
        [2, 2, 3, 4],
      ],
      attrs: { scale: 0.5 },
    },
    {
      inputs: [
        [2, 4, 3, 4],
        [2, 2, 5, 4],
        [2, 2, 5, 6],
        [],
        [2, 4, 3, 6],
        { shape: [2, 4, 3], of: lseOf },
        [2, 4, 3, 6],
      ],
      attrs: { scale: 0.5 },
    },
  ],
});
