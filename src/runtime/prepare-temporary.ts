import { type AnyOp, type Program, rewrite, roots, type Tensor, withRoots } from "../ir/index.js";
export function prepare(p: Program, { keep }: { keep: (op: AnyOp) => boolean }): Program {
  const lower = (ts: readonly Tensor[]): Tensor[] =>
    rewrite(ts, (node) => {
      if (!node.inputs.length || keep(node.op) || !node.op.lower) return undefined;
      const out = node.op.lower(node.inputs, node.attrs);
      return lower(Array.isArray(out) ? out : [out]);
    });
  return withRoots(p, lower(roots(p)));
}
