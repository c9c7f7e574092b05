/** What a program costs before it runs: floating-point operations, and memory held at once. */
import {
  bytesOf,
  isConstant,
  type Node,
  nodes,
  type Program,
  roots,
  size,
  type Tensor,
  type Type,
} from "../ir/index.js";

/** Floating-point operations of one run; a multiplication and an addition count two. */
export const flops = (p: Program): number => nodes(roots(p)).reduce((total, node) => total + nodeFlops(node), 0);

/** Floating-point operations of one node: the op's own count, or one for each output element. */
export function nodeFlops({ op, inputs, types, attrs }: Node): number {
  if (!inputs.length) return 0;
  const known = op.cost?.(
    inputs.map((t) => t.type),
    types,
    attrs,
  );
  return known ?? types.reduce((n, t) => n + size(t.shape), 0);
}

const bytes = (t: Type): number => size(t.shape) * bytesOf[t.dtype];

/** The most bytes of values alive at once when nodes run in order, leaves and constants apart: an upper bound on activations. */
export function peakBytes(p: Program): number {
  const order = nodes(roots(p)).filter((node) => node.inputs.length);
  const lastUse = new Map<Tensor, number>();
  order.forEach((node, i) => {
    for (const t of [...node.inputs, ...node.outputs]) lastUse.set(t, i);
  });
  for (const t of roots(p)) lastUse.set(t, order.length);
  const freed = new Map<number, number>();
  for (const [t, i] of lastUse)
    if (t.inputs.length && !isConstant(t)) freed.set(i, (freed.get(i) ?? 0) + bytes(t.type));
  let [now, peak] = [0, 0];
  order.forEach((node, i) => {
    now += node.types.reduce((n, t) => n + bytes(t), 0);
    peak = Math.max(peak, now);
    now -= freed.get(i) ?? 0;
  });
  return peak;
}
