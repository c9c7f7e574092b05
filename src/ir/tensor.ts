/** A tensor is a value in a graph: one output of a node, which is an op, its inputs and its attributes. It holds no data. */
import { fail } from "./error.js";
import type { AnyOp } from "./op.js";
import { currentPlace, madeAt } from "./trace.js";
import { type Dtype, type Shape, show, type Type } from "./type.js";

export class Node {
  readonly outputs: readonly Tensor[];
  constructor(
    readonly op: AnyOp,
    readonly inputs: readonly Tensor[],
    readonly attrs: unknown,
    readonly types: readonly Type[],
    /** The line of the model that it comes from, where that was traced. */
    readonly at: string | undefined = currentPlace(),
  ) {
    this.outputs = types.map((_, i) => new Tensor(this, i));
  }
}

export class Tensor {
  constructor(
    readonly node: Node,
    readonly index: number,
  ) {}
  get op(): AnyOp {
    return this.node.op;
  }
  get inputs(): readonly Tensor[] {
    return this.node.inputs;
  }
  get attrs(): unknown {
    return this.node.attrs;
  }
  get type(): Type {
    return this.node.types[this.index]!;
  }
  get shape(): Shape {
    return this.type.shape;
  }
  get dtype(): Dtype {
    return this.type.dtype;
  }

  /** Sizes by name: `const [B, T] = ids.dims("B T")`. Throws when the rank differs. */
  dims<N extends string>(names: N): Sizes<N> {
    const want = names.split(" ").length;
    if (want !== this.shape.length) throw fail("shape", `expected ${want} axes (${names}), got ${show(this.type)}`);
    return this.shape as unknown as Sizes<N>;
  }
}
type Sizes<N extends string> = N extends `${string} ${infer R}` ? [number, ...Sizes<R>] : [number];

/** Every node that `roots` depend on, inputs first. Iterative: a graph may be deeper than the call stack. */
export function nodes(roots: readonly Tensor[]): Node[] {
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack: { node: Node; next: number }[] = [];
  const enter = (node: Node) => {
    if (!seen.has(node)) {
      seen.add(node);
      stack.push({ node, next: 0 });
    }
  };
  for (const root of roots) {
    enter(root.node);
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.node.inputs.length) enter(top.node.inputs[top.next++]!.node);
      else order.push(stack.pop()!.node);
    }
  }
  return order;
}

/** Rebuild `roots`: after a node's inputs were rebuilt, `f` says what its outputs become (itself, by default); it also sees the node as it was. New nodes are said to be made where the node was. */
export function rewrite(
  roots: readonly Tensor[],
  f: (node: Node, original: Node) => readonly Tensor[] | undefined,
): Tensor[] {
  const done = new Map<Tensor, Tensor>();
  for (const node of nodes(roots)) {
    const inputs = node.inputs.map((x) => done.get(x)!);
    const same = inputs.every((x, i) => x === node.inputs[i]);
    const next = same ? node : new Node(node.op, inputs, node.attrs, node.types, node.at);
    const outputs = madeAt(node.at, () => f(next, node)) ?? next.outputs;
    node.outputs.forEach((t, i) => {
      done.set(t, outputs[i]!);
    });
  }
  return roots.map((t) => done.get(t)!);
}
