/** Evaluate a graph in float64 with every op's own `ref`. Slow, exact: the oracle. */
import { fail } from "./error.js";
import { constantData, input, isConstant, isInput, isParam, nameOf } from "./leaf.js";
import type { Exact } from "./nd.js";
import { type Node, nodes, type Tensor } from "./tensor.js";
import { sameShape, show, size } from "./type.js";

/** Values of `roots`, given a value for every parameter and input they reach. */
export function evaluate(roots: readonly Tensor[], feeds: ReadonlyMap<string, Exact>): Exact[] {
  const values = new Map<Tensor, Exact>();
  for (const node of nodes(roots)) {
    const results =
      node.inputs.length || !isLeaf(node)
        ? compute(
            node,
            node.inputs.map((x) => values.get(x)!),
          )
        : [leaf(node, feeds)];
    node.outputs.forEach((t, i) => {
      values.set(t, results[i]!);
    });
  }
  return roots.map((t) => values.get(t)!);
}

/** One node's outputs from its inputs' values: by `ref`, or by `ref` of what it lowers to. */
export function compute(node: Node, xs: readonly Exact[]): Exact[] {
  const { op, attrs, types } = node;
  if (op.ref) {
    const data = op.ref(xs, attrs, types);
    return (Array.isArray(data) ? data : [data]).map((d: Float64Array, i: number) => ({
      shape: types[i]!.shape,
      data: d,
    }));
  }
  if (!op.lower) throw fail("internal", `op ${op.name} has neither ref nor lower`);
  const stand = node.inputs.map((t, i) => input(`${i}`, t.type));
  const lowered = op.lower(stand, attrs);
  return evaluate(Array.isArray(lowered) ? lowered : [lowered], new Map(xs.map((x, i) => [`${i}`, x])));
}

const isLeaf = (node: Node): boolean => {
  const t = node.outputs[0]!;
  return isConstant(t) || isParam(t) || isInput(t);
};

function leaf(node: Node, feeds: ReadonlyMap<string, Exact>): Exact {
  const t = node.outputs[0]!;
  if (isConstant(t)) {
    const value = constantData(t);
    return { shape: t.shape, data: typeof value === "number" ? new Float64Array(size(t.shape)).fill(value) : value };
  }
  const found = feeds.get(nameOf(t));
  if (!found) throw fail("feed", `no value for ${node.op.name} ${nameOf(t)}: ${show(t.type)}`);
  if (!sameShape(found.shape, t.shape))
    throw fail("feed", `${nameOf(t)} is ${show(t.type)}, got a value of shape [${found.shape.join(",")}]`);
  return found;
}
