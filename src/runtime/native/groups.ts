/** Which elementwise nodes run together: chains that step through the same elements, and the reductions that end them. */
import { isConstant, isInput, isParam, type Node, type Shape, size, splatOf, type Tensor } from "../../ir/index.js";
import type { ReduceAttrs } from "../../ops/index.js";
import { isElementwise, reductions } from "./elementwise.js";
import { behind, isMovement, type Layouts } from "./layouts.js";
import { operandsOf } from "./masks.js";
import { refined } from "./strides.js";

/** What is run as one: a kernel's node, or elementwise nodes over one space of elements. */
export interface Unit {
  /** Absent for a kernel. */
  dims?: readonly number[];
  readonly nodes: Node[];
}

const isLeaf = (t: Tensor): boolean => isParam(t) || isInput(t) || isConstant(t);
export const isReduction = (node: Node): boolean => node.op.name in reductions;

/** The elements that a node steps through: those of its result; of what it reduces, or copies into another shape. */
export const spaceOf = (node: Node): Shape =>
  isReduction(node) || isMovement(node) ? node.inputs[0]!.shape : node.types[0]!.shape;

/** The value that `t` is in another shape, its elements in the same order. */
export function origin(t: Tensor): Tensor {
  while (t.op.name === "reshape" || t.op.name === "detach") t = t.inputs[0]!;
  return t;
}
/** The one number that `t` is everywhere, behind all movements. */
export const splat = (t: Tensor): number | undefined => splatOf(behind(t));

interface Reader {
  /** Absent: the program asks for it. */
  readonly node: Node | undefined;
  /** Read element by element, in order. */
  readonly linear: boolean;
}

/** Done again from the one value it reads, an op this light costs less than keeping its result. */
const light = new Set("add sub mul neg abs relu maximum minimum where equal less lessEqual and or not cast".split(" "));
function isLight({ op, inputs }: Node): boolean {
  const sources = new Set(inputs.filter((x) => size(x.shape) > 1 && splat(x) === undefined).map(origin));
  return light.has(op.name) && sources.size === 1;
}

export class Groups {
  readonly units: Unit[] = [];
  private readonly layouts: Layouts;
  private readonly fused: boolean;
  /** Units that compute a node: several where computing again is cheaper than keeping. */
  private readonly homes = new Map<Node, Unit[]>();
  private readonly position = new Map<Node, number>();
  private readonly readers = new Map<Node, Reader[]>();
  private readonly cheap = new Set<Node>();

  /** `order`: every node, inputs first; `kept`: what the program asks for. */
  constructor(
    order: readonly Node[],
    kept: readonly Tensor[],
    { layouts, fused }: { readonly layouts: Layouts; readonly fused: boolean },
  ) {
    this.layouts = layouts;
    this.fused = fused;
    const work = order.filter((node) => this.isWork(node));
    work.forEach((node, i) => {
      this.position.set(node, i);
      if (this.isCheap(node)) this.cheap.add(node);
    });
    for (const t of kept) this.read(t, undefined);
    for (const node of work.reverse()) {
      // a copy that every reader sees through is not made
      if (!this.readersOf(node).length) continue;
      this.assign(node);
      for (const x of this.operandsOf(node)) this.read(x, node);
    }
    for (const unit of this.units) unit.nodes.sort((a, b) => this.position.get(a)! - this.position.get(b)!);
  }

  private readonly operands = new Map<Node, readonly Tensor[]>();
  private operandsOf(node: Node): readonly Tensor[] {
    const found = this.operands.get(node) ?? operandsOf(node);
    this.operands.set(node, found);
    return found;
  }

  unitsOf = (node: Node): readonly Unit[] => this.homes.get(node) ?? [];

  /** Whether a unit's own result is read by someone else, and so must be stored. */
  isStored(node: Node, unit: Unit): boolean {
    if (isReduction(node) || !unit.dims) return true;
    if (this.unitsOf(node)[0] !== unit) return false;
    return this.readersOf(node).some(
      (r) => !r.node || !r.linear || this.unitsOf(r.node).some((u) => !u.nodes.includes(node)),
    );
  }

  /** Units whose results a unit reads. */
  *needs(unit: Unit): Iterable<Unit> {
    for (const node of unit.nodes) for (const x of this.operandsOf(node)) yield* this.sources(x, unit);
  }

  private *sources(x: Tensor, unit: Unit): Iterable<Unit> {
    const own = origin(x);
    if (unit.nodes.includes(own.node) && !isReduction(own.node)) return;
    for (const t of [own, this.produced(x), ...this.awaited(x)]) {
      const first = this.homes.get(t.node)?.[0];
      if (first && first !== unit) yield first;
    }
  }

  readersOf = (node: Node) => this.readers.get(node) ?? [];

  private isWork = (node: Node): boolean =>
    !isLeaf(node.outputs[0]!) && (!isMovement(node) || node.outputs.some((t) => this.layouts.isCopy(t)));

  private isMap = (node: Node): boolean => isElementwise(node.op.name) || isMovement(node);

  private isCheap(node: Node): boolean {
    if (!isElementwise(node.op.name) || isReduction(node) || size(node.types[0]!.shape) < 2) return false;
    return node.inputs.every((x) => size(x.shape) === 1 || splat(x) !== undefined || this.cheap.has(origin(x).node));
  }

  private read(x: Tensor, node: Node | undefined): void {
    const own = origin(x);
    const add = (source: Node, linear: boolean): void => {
      this.readers.set(source, [...this.readersOf(source), { node, linear }]);
    };
    for (const t of this.awaited(x)) if (this.isWork(t.node)) add(t.node, false);
    const stepping = node && this.isMap(node) && size(own.shape) === size(spaceOf(node)) && !isMovement(node);
    if (this.isWork(own.node) && stepping) return add(own.node, !isReduction(own.node));
    const { node: source } = this.produced(x);
    if (this.isWork(source)) add(source, false);
  }

  /** The stored values that must be there before `x` is read. */
  private awaited = (x: Tensor): Tensor[] => (this.layouts.of(x).after ?? []).map((t) => this.produced(t));

  /** The value behind views that a node computed, or that was copied. */
  private produced(t: Tensor): Tensor {
    while (isMovement(t.node) && !this.layouts.isCopy(t)) t = t.inputs[0]!;
    return t;
  }

  private assign(node: Node): void {
    const readers = this.readersOf(node);
    if (!this.isMap(node)) return this.start(node, undefined);
    const around = [...new Set(readers.flatMap((r) => (r.node ? [...this.unitsOf(r.node)] : [])))];
    const joined = isReduction(node) ? [] : around.filter((unit) => this.fits(node, unit));
    const inside = (r: Reader) => r.node && this.unitsOf(r.node).every((u) => joined.includes(u));
    const all = readers.every(inside);
    if (this.cheap.has(node) || (all && isLight(node))) {
      for (const unit of joined) this.join(node, unit);
      if (!all) this.start(node, spaceOf(node));
      return;
    }
    const unit = joined.find((u) => !this.closesCircle(node, u, around));
    if (unit) this.join(node, unit);
    else this.start(node, spaceOf(node));
  }

  private start(node: Node, dims: Shape | undefined): void {
    const unit: Unit = { ...(dims && { dims: dims.filter((n) => n !== 1) }), nodes: [node] };
    this.units.push(unit);
    // the first one is where it is stored
    this.homes.set(node, [unit, ...this.unitsOf(node)]);
  }

  private join(node: Node, unit: Unit): void {
    unit.dims = refined(unit.dims!, spaceOf(node))!;
    unit.nodes.push(node);
    this.homes.set(node, [...this.unitsOf(node), unit]);
  }

  /** Whether a unit steps through the node's elements in order, wherever it reads it. */
  private fits(node: Node, unit: Unit): boolean {
    if (!this.fused || !unit.dims || !refined(unit.dims, spaceOf(node))) return false;
    const inside = this.readersOf(node).filter((r) => r.node && unit.nodes.includes(r.node));
    return inside.length > 0 && inside.every((r) => r.linear);
  }

  /** Whether a unit waits for another that reads the node: then neither could run first. */
  private closesCircle(node: Node, unit: Unit, around: readonly Unit[]): boolean {
    const others = new Set(around.filter((u) => u !== unit));
    return others.size > 0 && this.reaches([...this.needs(unit)], others, this.position.get(node)!);
  }

  /** Whether something else that a group waits for waits for `unit`. */
  waits(group: Unit, unit: Unit): boolean {
    const others = [...this.needs(group)].filter((u) => u !== unit);
    return this.reaches(others, new Set([unit]), this.position.get(unit.nodes[0]!)!);
  }

  /** Whether one of `wanted` is among units, or what they wait for; units all before `limit` are not looked into. */
  private reaches(from: readonly Unit[], wanted: ReadonlySet<Unit>, limit: number): boolean {
    const seen = new Set<Unit>();
    const stack = [...from];
    while (stack.length) {
      const unit = stack.pop()!;
      if (wanted.has(unit)) return true;
      if (seen.has(unit) || unit.nodes.every((n) => this.position.get(n)! < limit)) continue;
      seen.add(unit);
      stack.push(...this.needs(unit));
    }
    return false;
  }
}

/** The axes of `shape` that a reduction takes away. */
export const reducedAxes = (node: Node): readonly number[] => (node.attrs as ReduceAttrs).axes;
