/** The instruction of a group: operands, registers and code for the machine that runs elementwise chains. */
import { bytesOf, dtypes, fail, type Node, type Shape, type Tensor } from "../../ir/index.js";
import { type RandomAttrs, streamKey } from "../../ops/index.js";
import { instructionOf, laneBits, reductions } from "./elementwise.js";
import { isReduction, origin, reducedAxes, spaceOf, splat } from "./groups.js";
import { isMovement } from "./layouts.js";
import { type Buffer, type View, type Word, waitedFor, word } from "./memory.js";
import { Registers } from "./registers.js";
import { broadcastStrides, collapsed, reshaped } from "./strides.js";

/** Where a group finds its operands and puts its results. */
export interface Site {
  /** A value as it lies in memory. */
  view(t: Tensor): View;
  /** Whether a result is read outside the group. */
  isStored(node: Node): boolean;
}

interface Operand {
  readonly view: View;
  /** Steps over the group's space. */
  readonly strides: readonly number[];
}
interface Result extends Operand {
  readonly register: number;
}
interface Reduction extends Result {
  readonly kind: number;
  /** Which axes of the group's space it takes away. */
  readonly reduced: readonly boolean[];
}

/** The operands, registers and code of one group. */
export class MapCode {
  readonly nodes: Node[] = [];
  readonly inputs: Operand[] = [];
  readonly results: Result[] = [];
  readonly reductions: Reduction[] = [];
  readonly dims: readonly number[];
  private readonly registers = new Registers();
  private draws = false;
  private readonly values = new Map<Tensor, number>();
  private readonly loaded: { readonly operand: Operand; readonly register: number }[] = [];

  constructor(shape: Shape) {
    this.dims = shape.filter((n) => n !== 1);
  }

  /** One node, after those it reads. */
  add(node: Node, site: Site): void {
    this.nodes.push(node);
    const t = node.outputs[0]!;
    const register = this.value(node, site);
    if (isReduction(node)) return this.reduce(node, register, site.view(t));
    this.values.set(t, register);
    if (site.isStored(node)) this.store(register, site.view(t));
  }

  /** Elements of a value of the group's space, or of one that broadcasts to `shape`, a form of it. */
  load(view: View, shape: Shape): number {
    const operand = { view, strides: this.steps({ shape, strides: broadcastStrides(view, shape) }) };
    const found = this.loaded.find(({ operand: { view: v, strides } }) => {
      const same = v.buffer === view.buffer && v.offset === view.offset;
      return same && strides.every((s, d) => s === operand.strides[d]);
    });
    if (found) return found.register;
    const register = this.registers.input();
    this.inputs.push(operand);
    this.loaded.push({ operand, register });
    return register;
  }

  store(register: number, view: View): void {
    this.results.push({ view, register, strides: this.steps(view) });
  }

  /** All elements of a view. */
  copy = (view: View): number => this.registers.emit("copy", [this.load(view, view.shape)]);

  private value(node: Node, site: Site): number {
    const operands = node.inputs.map((x) => this.operand(x, node, site));
    const name = node.op.name;
    if (isMovement(node)) return this.registers.emit("copy", operands);
    if (name === "uniform") {
      this.draws = true;
      const key = this.registers.constant(streamKey((node.attrs as RandomAttrs).stream));
      return this.registers.emit("uniform", [operands[0]!, key]);
    }
    if (name === "sumSquare") return this.registers.emit("mul", [operands[0]!, operands[0]!]);
    if (isReduction(node)) return operands[0]!;
    return this.registers.emit(instructionOf(node.outputs[0]!), operands);
  }

  private operand(x: Tensor, node: Node, site: Site): number {
    const number = splat(x);
    if (number !== undefined) return this.registers.constant(laneBits(number, x.dtype));
    const own = isMovement(node) ? undefined : this.values.get(origin(x));
    return own ?? this.load(site.view(x), spaceOf(node));
  }

  private reduce(node: Node, register: number, view: View): void {
    const { dtype, shape } = node.types[0]!;
    if (dtype !== "f32") throw fail("engine", `the native engine reduces f32, not ${dtype}`, "cast to f32 first");
    const space = spaceOf(node);
    const axes = reducedAxes(node);
    let next = 0;
    const strides = space.map((_, d) => {
      if (axes.includes(d)) return 0;
      return view.strides[shape.length === space.length ? d : next++]!;
    });
    const reduced = axesOf(this.dims, space).map((d) => axes.includes(d));
    const kind = reductions[node.op.name]!;
    this.reductions.push({ view, register, strides: this.steps({ shape: space, strides }), kind, reduced });
  }

  private steps(seen: { readonly shape: Shape; readonly strides: readonly number[] }): number[] {
    const found = reshaped(seen, this.dims);
    if (!found) throw fail("internal", `a group over [${this.dims}] steps through [${seen.shape}]`);
    return found;
  }

  private everything = (): Operand[] => [...this.inputs, ...this.results, ...this.reductions];

  /** The space's axes as the results lie in memory, the farthest apart first; random numbers are drawn in the space's own order. */
  private order(): number[] {
    const own = this.dims.map((_, d) => d);
    const lead = [...this.results, ...this.inputs].find(({ strides }) => !strides.includes(0));
    return this.draws || !lead ? own : own.sort((a, b) => lead.strides[b]! - lead.strides[a]!);
  }

  /** The words of the instruction, in whatever order of axes suits memory. */
  words(op: (name: string) => number): Word[] {
    const order = this.order();
    const shape = order.map((d) => this.dims[d]!);
    const strides = this.everything().map((o) => order.map((d) => o.strides[d]!));
    const apart = (d: number) => this.reductions.some(({ reduced }) => reduced[order[d]!] !== reduced[order[d - 1]!]);
    const dims = collapsed(shape, strides, apart);
    return this.written(op, order, dims.length ? dims : [1])!;
  }

  /** The words of the instruction over `dims`, or undefined where an operand cannot be stepped through so. */
  wordsOver(op: (name: string) => number, dims: readonly number[]): Word[] | undefined {
    return this.written(
      op,
      this.dims.map((_, d) => d),
      dims,
    );
  }

  private written(op: (name: string) => number, order: readonly number[], dims: readonly number[]): Word[] | undefined {
    const shape = order.map((d) => this.dims[d]!);
    const over = (o: Operand) => reshaped({ shape, strides: order.map((d) => o.strides[d]!) }, dims)?.map(word);
    const steps = new Map(this.everything().map((o) => [o, over(o)]));
    if ([...steps.values()].includes(undefined)) return undefined;
    const kept = [...this.results, ...this.reductions].map((r) => r.register);
    const numbers = this.registers.numbered(kept);
    const place = ({ view }: Operand): Word => ({ buffer: view.buffer, offset: view.offset });
    const type = ({ view }: Operand) => dtypes.indexOf(view.dtype);
    const axes = axesOf(shape, dims);
    const mask = ({ reduced }: Reduction) =>
      order.reduce((bits, d, i) => (reduced[d] ? bits | (1 << axes[i]!) : bits), 0);
    return [
      dims.length,
      ...dims.map(word),
      this.inputs.length,
      ...this.inputs.flatMap((o) => [type(o), ...steps.get(o)!, place(o)]),
      this.results.length,
      ...this.results.flatMap((o) => [numbers.of(o.register), type(o), ...steps.get(o)!, place(o)]),
      this.reductions.length,
      ...this.reductions.flatMap((o) => [o.kind, numbers.of(o.register), mask(o), ...steps.get(o)!, place(o)]),
      ...this.registers.words(kept, op),
    ];
  }

  get reads(): Buffer[] {
    return this.inputs.flatMap(({ view }) => waitedFor(view));
  }
  get writes(): Buffer[] {
    return [...this.results, ...this.reductions].map(({ view }) => view.buffer);
  }

  /** Results that are written just where an input was read. */
  get inPlace(): (readonly [Buffer, Buffer])[] {
    const fits = (a: Operand, b: Operand) =>
      bytesOf[a.view.dtype] === bytesOf[b.view.dtype] &&
      a.view.offset === b.view.offset &&
      a.strides.every((s, d) => s === b.strides[d]);
    // read elsewhere as well, an input would be overwritten before that
    const once = this.inputs.filter((o) => this.inputs.every((p) => p === o || p.view.buffer !== o.view.buffer));
    return this.results.flatMap((result) =>
      once.filter((o) => fits(o, result)).map((o) => [o.view.buffer, result.view.buffer] as const),
    );
  }
}

/** For each of `dims`, the axis of `space` that it is cut from. */
function axesOf(dims: Shape, space: Shape): number[] {
  const axes = space.map((n, d) => ({ n, d })).filter(({ n }) => n !== 1);
  let at = 0;
  let left = axes[0]?.n ?? 1;
  return dims.map((n) => {
    const { d } = axes[at] ?? { d: 0 };
    left /= n || 1;
    if (left <= 1 || n === 0) left = axes[++at]?.n ?? 1;
    return d;
  });
}

/** One view's elements, to another of its shape. */
export function copyCode(from: View, to: View): MapCode {
  const code = new MapCode(from.shape);
  code.store(code.copy(from), to);
  return code;
}
