/** One node for one value: the same op on the same inputs with the same attributes is computed once. */
import {
  constantData,
  isConstant,
  isInput,
  isParam,
  type Node,
  nameOf,
  rewrite,
  show,
  type Tensor,
} from "../ir/index.js";

export function dedupe(roots: readonly Tensor[]): Tensor[] {
  const ids = new Map<Node, number>();
  const first = new Map<string, Node>();
  return rewrite(roots, (node) => {
    const key = keyOf(node, ids);
    const found = first.get(key);
    if (found) return found.outputs;
    first.set(key, node);
    ids.set(node, ids.size);
    return undefined;
  });
}

function keyOf(node: Node, ids: ReadonlyMap<Node, number>): string {
  const t = node.outputs[0]!;
  if (isParam(t) || isInput(t)) return `${node.op.name} ${nameOf(t)}`;
  if (isConstant(t)) return `constant ${show(t.type)} ${content(constantData(t))}`;
  const inputs = node.inputs.map((x) => `${ids.get(x.node)}.${x.index}`);
  return `${node.op.name} ${inputs.join()} ${JSON.stringify(node.attrs)}`;
}

/** A short constant as text, a long one as two independent 32-bit hashes of its bits. */
function content(value: number | Float64Array): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`;
  if (value.length <= 16) return value.join();
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (const word of new Int32Array(value.buffer, value.byteOffset, value.length * 2)) {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ (b >>> 15) ^ word, 0x5bd1e995);
  }
  return `${value.length} ${a} ${b}`;
}
