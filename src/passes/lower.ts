/** Composites to simpler ops, wherever the target has no kernel of its own. */
import { type AnyOp, Node, rewrite, type Tensor } from "../ir/index.js";

/** Replace each composite that `keeps` refuses by what it means, all the way down. */
export const lower = (roots: readonly Tensor[], keeps: (op: AnyOp) => boolean): Tensor[] =>
  rewrite(roots, (node) => expandNode(node, keeps));

function expandNode(node: Node, keeps: (op: AnyOp) => boolean): readonly Tensor[] | undefined {
  const { op, inputs, attrs } = node;
  if (!op.lower || keeps(op)) return undefined;
  const lowered = op.lower(inputs, attrs) as Tensor | readonly Tensor[];
  const outputs = Array.isArray(lowered) ? lowered : [lowered as Tensor];
  // only what the lowering made is new: everything behind the inputs has been rewritten
  return below(outputs, inputs, (inner) => expandNode(inner, keeps));
}

/** Rewrite `roots` down to `stops`, which stay as they are. */
function below(
  roots: readonly Tensor[],
  stops: readonly Tensor[],
  f: (node: Node) => readonly Tensor[] | undefined,
): Tensor[] {
  const done = new Map<Node, readonly Tensor[]>(stops.map((t) => [t.node, t.node.outputs]));
  const visit = (node: Node): readonly Tensor[] => {
    const old = done.get(node);
    if (old) return old;
    const inputs = node.inputs.map((t) => visit(t.node)[t.index]!);
    const same = inputs.every((t, i) => t === node.inputs[i]);
    const next = same ? node : new Node(node.op, inputs, node.attrs, node.types, node.at);
    const outputs = f(next) ?? next.outputs;
    done.set(node, outputs);
    return outputs;
  };
  return roots.map((t) => visit(t.node)[t.index]!);
}
