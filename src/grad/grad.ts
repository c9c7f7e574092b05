/** Reverse mode: the gradient of a scalar, as a graph. */
import {
  constant,
  fail,
  isFloat,
  madeAt,
  type Node,
  nodes,
  type Shape,
  sameShape,
  show,
  type Tensor,
} from "../ir/index.js";
import "../ops/index.js";

/** The gradient of the scalar `loss` with respect to each of `wrt`. Throws unless `loss` is one number. */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length)
    throw fail("scalar", `grad needs a scalar, got ${show(loss.type)}`, "take .sum() or .mean() first");
  return pull([loss], [constant(1, loss.type)], wrt);
}

/** The vector-Jacobian product: for cotangents of `ys`, the cotangent of each of `wrt`. */
function pull(ys: readonly Tensor[], cotangents: readonly (Tensor | null)[], wrt: readonly Tensor[]): Tensor[] {
  const order = nodes(ys);
  const targets = new Set(wrt);
  const needed = new Set<Node>();
  for (const node of order)
    if (node.outputs.some((t) => targets.has(t)) || node.inputs.some((x) => needed.has(x.node))) needed.add(node);

  const totals = new Map<Tensor, Tensor>();
  const give = (x: Tensor, part: Tensor) => {
    const g = unbroadcast(part, x.shape);
    const old = totals.get(x);
    totals.set(x, old ? old.add(g) : g);
  };
  ys.forEach((y, i) => {
    const g = cotangents[i];
    if (g) give(y, g);
  });
  for (const node of order.reverse()) {
    const gs = node.outputs.map((t) => totals.get(t) ?? null);
    if (!node.inputs.length || !needed.has(node) || gs.every((g) => !g)) continue;
    // a gradient is of the line that the value is of
    madeAt(node.at, () =>
      backward(node, gs).forEach((part, i) => {
        const x = node.inputs[i]!;
        if (part && needed.has(x.node) && isFloat(x.dtype)) give(x, part);
      }),
    );
  }
  return wrt.map((w) => totals.get(w) ?? constant(0, w.type));
}

/** One node's rule, or its lowering's. */
function backward({ op, inputs, outputs, attrs }: Node, gs: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
  if (op.vjp) {
    const many = outputs.length > 1;
    return op.vjp(many ? gs : gs[0]!, inputs, many ? outputs : outputs[0], attrs);
  }
  if (!op.lower) throw fail("internal", `op ${op.name} has neither vjp nor lower`);
  const lowered = op.lower(inputs, attrs) as Tensor | readonly Tensor[];
  return pull(Array.isArray(lowered) ? lowered : [lowered as Tensor], gs, inputs);
}

/** Sum `g` down to `shape`: what broadcasting repeated, the gradient adds up. */
function unbroadcast(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  if (g.shape.length < shape.length || shape.some((n, i) => n > g.shape[i + g.shape.length - shape.length]!))
    return g.expand(shape);
  const extra = g.shape.length - shape.length;
  const axes = g.shape.flatMap((n, i) => (i < extra || (shape[i - extra] === 1 && n !== 1) ? [i] : []));
  return g.sum(axes, { keep: true }).reshape(shape);
}
