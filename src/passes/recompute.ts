/** Gradient checkpointing: values of the forward pass that the backward pass reads are computed again where that saves memory. */
import {
  isConstant,
  isInput,
  isParam,
  Node,
  nodes,
  type Program,
  roots,
  size,
  type Tensor,
  withRoots,
} from "../ir/index.js";
import { after, familyOf } from "../ops/index.js";
import { nodeFlops } from "./cost.js";

/**
 * The same program, bit for bit, in which a value of the forward pass is kept for the backward pass only where computing it again
 * would take more than `price` floating-point operations for each of its bytes (Chen et al. 2016). The forward pass ends in the
 * output `loss`; what that does not depend on is the backward pass.
 */
export function recompute(program: Program, loss: string, price: number): Program {
  const end = program.outputs[loss];
  if (!end || price <= 0) return program;
  const forward = new Set(nodes([end]).filter((node) => !isLeaf(node)));
  const order = ordered(program, (node) => isAside(node, forward));
  return new Recompute(order, forward, cheap(order, forward, price)).program(program);
}

const isLeaf = ({ outputs: [t] }: Node): boolean => isParam(t!) || isInput(t!) || isConstant(t!);

/** Arithmetic of the backward pass on nothing but values of the forward pass: a slope, before a gradient is multiplied by it. */
const isAside = (node: Node, forward: ReadonlySet<Node>): boolean =>
  !forward.has(node) &&
  familyOf(node.op.name) === "elementwise" &&
  node.inputs.every(({ node: x }) => isLeaf(x) || forward.has(x) || isAside(x, forward));

/** Every node, inputs first, and of a node's inputs those that are aside last: what they wait for comes before them. */
function ordered(program: Program, aside: (node: Node) => boolean): Node[] {
  const later = new Map<Node, boolean>();
  const isLater = (node: Node) => {
    const found = later.get(node) ?? aside(node);
    later.set(node, found);
    return found;
  };
  const inputs = ({ inputs: xs }: Node) => [
    ...xs.filter((t) => !isLater(t.node)),
    ...xs.filter((t) => isLater(t.node)),
  ];
  const seen = new Set<Node>();
  const order: Node[] = [];
  const stack: { readonly node: Node; readonly left: Tensor[] }[] = [];
  const enter = (node: Node) => {
    if (seen.has(node)) return;
    seen.add(node);
    stack.push({ node, left: inputs(node).reverse() });
  };
  for (const { node } of roots(program)) {
    enter(node);
    while (stack.length) {
      const top = stack.at(-1)!;
      const next = top.left.pop();
      if (next) enter(next.node);
      else order.push(stack.pop()!.node);
    }
  }
  return order;
}

/** Nodes of the forward pass that are cheap to compute again, from the nearest ones that are kept. */
function cheap(order: readonly Node[], forward: ReadonlySet<Node>, price: number): Set<Node> {
  const costs = new Map<Node, number>();
  for (const node of order) {
    if (!forward.has(node)) continue;
    const before = new Set(node.inputs.map((t) => t.node));
    const cost = [...before].reduce((sum, n) => sum + (costs.get(n) ?? 0), nodeFlops(node));
    if (cost <= price * node.types.reduce((sum, t) => sum + 4 * size(t.shape), 0)) costs.set(node, cost);
  }
  return new Set(costs.keys());
}

class Recompute {
  private readonly readers = new Map<Node, Node[]>();
  private readonly position: ReadonlyMap<Node, number>;
  /** The gradient that a node is not needed before: of the forward pass, to be computed again; of the backward pass, aside. */
  private readonly triggers = new Map<Node, Tensor>();
  private readonly copies = new Map<Node, Node>();
  private readonly done = new Map<Tensor, Tensor>();

  constructor(
    private readonly order: readonly Node[],
    private readonly forward: ReadonlySet<Node>,
    private readonly again: ReadonlySet<Node>,
  ) {
    this.position = new Map(order.map((node, i) => [node, i]));
    for (const node of order)
      for (const x of new Set(node.inputs.map((t) => t.node))) this.readers.set(x, [...this.readersOf(x), node]);
    for (const node of [...order].reverse()) {
      const trigger = again.has(node) || isAside(node, forward) ? this.triggerOf(node) : undefined;
      if (trigger) this.triggers.set(node, trigger);
    }
  }
  private readersOf = (node: Node): readonly Node[] => this.readers.get(node) ?? [];

  /** What the first reader in the backward pass waits for; undefined where it waits for nothing. */
  private triggerOf(node: Node): Tensor | undefined {
    let first: { at: number; trigger: Tensor | undefined } | undefined;
    for (const reader of this.readersOf(node)) {
      const trigger = this.triggers.get(reader) ?? this.gradientOf(reader);
      // a reader in the forward pass that is not computed again reads what the forward pass computed
      if (!trigger && this.forward.has(reader)) continue;
      const at = trigger ? this.position.get(trigger.node)! : this.position.get(reader)!;
      if (!first || at < first.at) first = { at, trigger };
    }
    return first?.trigger;
  }

  /** The last gradient among the operands of a node of the backward pass. */
  private gradientOf(node: Node): Tensor | undefined {
    if (this.forward.has(node)) return undefined;
    const own = node.inputs.filter(({ node: x }) => !isLeaf(x) && !this.forward.has(x) && !isAside(x, this.forward));
    return own.reduce<Tensor | undefined>(
      (last, t) => (!last || this.position.get(t.node)! > this.position.get(last.node)! ? t : last),
      undefined,
    );
  }

  program(program: Program): Program {
    for (const node of this.order) {
      const next = this.forward.has(node) || isLeaf(node) ? node : this.rewritten(node);
      node.outputs.forEach((t, i) => {
        this.done.set(t, next.outputs[i]!);
      });
    }
    return withRoots(
      program,
      roots(program).map((t) => this.done.get(t)!),
    );
  }

  private rewritten(node: Node): Node {
    const inputs = node.inputs.map((x) => (this.isCopied(x.node) ? this.copy(x) : this.done.get(x)!));
    return inputs.every((x, i) => x === node.inputs[i])
      ? node
      : new Node(node.op, inputs, node.attrs, node.types, node.at);
  }

  private isCopied = (node: Node): boolean => this.again.has(node) && this.triggers.has(node);

  private copy(x: Tensor): Tensor {
    const known = this.copies.get(x.node);
    if (known) return known.outputs[x.index]!;
    const trigger = this.done.get(this.triggers.get(x.node)!)!;
    const inputs = x.node.inputs.map((t) => (this.isCopied(t.node) ? this.copy(t) : after(t, trigger)));
    const node = new Node(x.node.op, inputs, x.node.attrs, x.node.types, x.node.at);
    this.copies.set(x.node, node);
    return node.outputs[x.index]!;
  }
}
