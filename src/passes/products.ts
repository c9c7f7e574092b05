/** What a matrix product takes for free or passes on: transposes, scalar factors, a factor for each row. */
import { type Node, type Shape, size, splatOf, type Tensor } from "../ir/index.js";
import { type MatmulAttrs, matmul, mul, swapped, transpose } from "../ops/index.js";

/** A simpler equal of a product, if there is one. */
export const simplerProduct = (node: Node): Tensor | undefined =>
  untransposed(node) ?? unscaled(node) ?? factored(node);

/** (xy)ᵀ is yᵀxᵀ, and a product reads its sides transposed anyway. */
export function transposedProduct(x: Tensor, order: Shape): Tensor | undefined {
  if (x.op !== matmul || !isSwap(order)) return undefined;
  const { transposeLeft = false, transposeRight = false, scale = 1 } = x.attrs as MatmulAttrs;
  const [left, right] = x.inputs as [Tensor, Tensor];
  return matmul(right, left, { transposeLeft: !transposeRight, transposeRight: !transposeLeft, scale });
}

function untransposed({ inputs, attrs }: Node): Tensor | undefined {
  const { transposeLeft = false, transposeRight = false, scale = 1 } = attrs as MatmulAttrs;
  const [x, y] = inputs as [Tensor, Tensor];
  const [left, right] = [turned(x), turned(y)];
  if (!left && !right) return undefined;
  return matmul(left ?? x, right ?? y, {
    transposeLeft: left ? !transposeLeft : transposeLeft,
    transposeRight: right ? !transposeRight : transposeRight,
    scale,
  });
}
const turned = (t: Tensor): Tensor | undefined =>
  t.op === transpose && isSwap((t.attrs as { order: Shape }).order) ? t.inputs[0] : undefined;
const isSwap = (order: Shape): boolean => order.length > 1 && order.join() === swapped(order.length).join();

/** A side that was multiplied by a number: the product multiplies by it. */
function unscaled({ inputs, attrs }: Node): Tensor | undefined {
  const { scale = 1, ...rest } = attrs as MatmulAttrs;
  const [x, y] = inputs as [Tensor, Tensor];
  const [left, right] = [scaledBy(x), scaledBy(y)];
  if (!left && !right) return undefined;
  const factor = (left?.factor ?? 1) * (right?.factor ?? 1);
  return matmul(left?.value ?? x, right?.value ?? y, { ...rest, scale: scale * factor });
}
function scaledBy(t: Tensor): { value: Tensor; factor: number } | undefined {
  if (t.op !== mul) return undefined;
  const [a, b] = t.inputs as [Tensor, Tensor];
  for (const [value, by] of [
    [a, b],
    [b, a],
  ] as const) {
    const factor = splatOf(by);
    if (factor !== undefined && value.shape.join() === t.shape.join()) return { value, factor };
  }
  return undefined;
}

/**
 * A left side whose rows are each multiplied by a number of their own: the numbers move to what is narrower, the result or,
 * where the rows are summed over, the other side. The gradient of a language model's logits is such a side, and wide.
 */
function factored({ inputs, attrs, types }: Node): Tensor | undefined {
  const { transposeLeft = false, transposeRight = false } = attrs as MatmulAttrs;
  const [x, y] = inputs as [Tensor, Tensor];
  const rows = rowFactor(x);
  if (!rows || y.shape.length !== 2) return undefined;
  if (!transposeLeft && size(types[0]!.shape) < size(x.shape))
    return mul(matmul(rows.value, y, attrs as MatmulAttrs), rows.factor);
  if (transposeLeft && !transposeRight && size(y.shape) < size(x.shape))
    return matmul(rows.value, mul(y, rows.factor), attrs as MatmulAttrs);
  return undefined;
}
function rowFactor(t: Tensor): { value: Tensor; factor: Tensor } | undefined {
  if (t.op !== mul || t.shape.length !== 2) return undefined;
  const [value, factor] = t.inputs as [Tensor, Tensor];
  const column = factor.shape.length === 2 && factor.shape[1] === 1 && factor.shape[0] === t.shape[0];
  return column && t.shape[1]! > 1 ? { value, factor } : undefined;
}
