/** A matrix plus a low-rank difference is never formed: what reads it reads the two apart. */
import { type Node, rewrite, type Shape, splatOf, type Tensor } from "../ir/index.js";
import { add, gather, type MatmulAttrs, matmul, mul, swapped, transpose } from "../ops/index.js";

/**
 * `x @ (w + (p @ q) * s)` to `x @ w + (x @ p * s) @ q`, for a number `s` (Hu et al. 2022), also where the sum is read transposed
 * or its rows are gathered. The value is the same; neither it nor a gradient taken afterwards forms a product of the size of `w`.
 */
export const splitLowRank = (roots: readonly Tensor[]): Tensor[] =>
  rewrite(roots, (node) => {
    if (node.op === matmul) return one(product(node));
    if (node.op === gather) return one(rows(node));
    return undefined;
  });
const one = (t: Tensor | undefined): readonly Tensor[] | undefined => t && [t];

interface Split {
  readonly w: Tensor;
  readonly left: Tensor;
  readonly right: Tensor;
  readonly scale: number;
}

function product({ inputs, attrs }: Node): Tensor | undefined {
  const [x, matrix] = inputs as [Tensor, Tensor];
  const turned = untransposed(matrix);
  const parts = split(turned ?? matrix);
  if (!parts) return undefined;
  const own = attrs as MatmulAttrs;
  // (p q)ᵀ = qᵀ pᵀ
  const flip = (own.transposeRight ?? false) !== (turned !== undefined);
  const [first, second] = flip ? [T(parts.right), T(parts.left)] : [parts.left, parts.right];
  const narrow = scaled(matmul(x, first, { ...own, transposeRight: false }), parts.scale);
  return add(matmul(x, flip ? T(parts.w) : parts.w, { ...own, transposeRight: false }), matmul(narrow, second, {}));
}

function rows({ inputs: [table, ids] }: Node): Tensor | undefined {
  const parts = split(table!);
  // rows of ids with no axis would leave a vector, which is no side of a matrix product
  if (!parts || !ids!.shape.length) return undefined;
  const narrow = scaled(gather(parts.left, ids!), parts.scale);
  return add(gather(parts.w, ids!), matmul(narrow, parts.right, {}));
}

/** `w + (p @ q) * s`, in either order, where the product is narrower than it is long or wide. */
function split(t: Tensor): Split | undefined {
  if (t.op !== add || t.shape.length !== 2) return undefined;
  const [a, b] = t.inputs as [Tensor, Tensor];
  for (const [w, difference] of [
    [a, b],
    [b, a],
  ] as const) {
    const { x, scale } = unscaled(difference);
    if (x.op !== matmul || w.shape.join() !== x.shape.join()) continue;
    const { transposeLeft, transposeRight, scale: own = 1 } = x.attrs as MatmulAttrs;
    const left = transposeLeft ? T(x.inputs[0]!) : x.inputs[0]!;
    const right = transposeRight ? T(x.inputs[1]!) : x.inputs[1]!;
    if (left.shape.length !== 2 || left.shape[1]! > Math.min(...x.shape)) continue;
    return { w, left, right, scale: scale * own };
  }
  return undefined;
}

function unscaled(t: Tensor): { x: Tensor; scale: number } {
  if (t.op !== mul) return { x: t, scale: 1 };
  const [a, b] = t.inputs as [Tensor, Tensor];
  const [sa, sb] = [splatOf(a), splatOf(b)];
  if (sb !== undefined) return { x: a, scale: sb };
  return sa === undefined ? { x: t, scale: 1 } : { x: b, scale: sa };
}

const scaled = (t: Tensor, by: number): Tensor => (by === 1 ? t : t.mul(by));
const T = (t: Tensor): Tensor => transpose(t, { order: swapped(2) });
const untransposed = (t: Tensor): Tensor | undefined =>
  t.op === transpose && t.shape.length === 2 && (t.attrs as { order: Shape }).order[0] === 1 ? t.inputs[0] : undefined;
