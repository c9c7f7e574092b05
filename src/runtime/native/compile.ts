/** A program as instructions: views and groups, and what each kernel reads and writes. */
import {
  type AnyOp,
  constantData,
  isConstant,
  isInput,
  isParam,
  type Nd,
  type Node,
  nameOf,
  nd,
  nodes,
  type Program,
  roots,
  sameShape,
  size,
  type Tensor,
  withRoots,
} from "../../ir/index.js";
import { fuseHead, prepare, recompute } from "../../passes/index.js";
import { Draft } from "./draft.js";
import { isElementwise } from "./elementwise.js";
import { epilogues } from "./epilogues.js";
import { type Desk, forms } from "./forms.js";
import { Groups, type Unit } from "./groups.js";
import { isImage } from "./image-forms.js";
import { type Layout, Layouts, movements } from "./layouts.js";
import { copyCode, MapCode, type Site } from "./map.js";
import { matmul } from "./matmul.js";
import { type Buffer, bytesOfView, type Instruction, isContiguous, rowMajor, type View } from "./memory.js";

/** Numbers of the register machine's instructions, by name. */
export type OpNumber = (name: string) => number;

/** What a program asks for, and the instruction that brings it there. */
export interface Target {
  readonly from: View;
  readonly to: Buffer;
  readonly copy: Instruction;
}

/** What a program does, before it has an order. */
export interface Compiled {
  readonly instructions: readonly Instruction[];
  /** Outputs, then next values of the state. */
  readonly targets: readonly Target[];
}

/** Whether the engine runs an op as it is; any other is lowered. */
const speaks = ({ name }: AnyOp): boolean =>
  name in forms || isElementwise(name) || movements.has(name) || name === "concat";

/** Results of these kernels may lie in any order of their axes. */
const strided = new Set(["concat", "attention", "attentionGrad"]);
const free = {
  turned: (t: Tensor): boolean => strided.has(t.op.name),
  placed: (t: Tensor): boolean => strided.has(t.op.name) || isElementwise(t.op.name),
  channelsLast: (t: Tensor, from: (x: Tensor) => boolean): boolean =>
    isImage(t) || (isElementwise(t.op.name) && t.inputs.some((x) => from(x) && sameShape(x.shape, t.shape))),
};

export interface CompileOptions {
  /** False: every op is an instruction of its own and every composite is lowered, to compare with. */
  readonly fused: boolean;
  /**
   * Floating-point operations that a byte is worth: a value of the forward pass that takes fewer to compute again is not kept for
   * the backward pass. Default 0: all are kept.
   */
  readonly price?: number;
}

/** Throws `engine` for what no kernel of the engine does. */
export function compile(program: Program, op: OpNumber, options: CompileOptions = { fused: true }): Compiled {
  const keeps = options.fused ? speaks : (op: AnyOp) => speaks(op) && !op.lower;
  const prepared = prepare(program, keeps);
  const heads = options.fused ? withRoots(prepared, fuseHead(roots(prepared))) : prepared;
  return new Compiler(recompute(heads, "loss", options.price ?? 0), op, options).compiled();
}

class Compiler implements Desk {
  private readonly order: readonly Node[];
  private readonly layouts: Layouts;
  private readonly groups: Groups;
  private readonly buffers = new Map<string | Tensor, Buffer>();
  private readonly instructions: Instruction[] = [];
  private readonly rows = new Map<Tensor, View>();
  private readonly checked: { readonly view: View; readonly limit: number }[] = [];

  constructor(
    private readonly program: Program,
    private readonly op: OpNumber,
    private readonly options: CompileOptions,
  ) {
    const kept = roots(program);
    this.order = nodes(kept);
    this.layouts = new Layouts(this.order, free);
    this.groups = new Groups(this.order, kept, { layouts: this.layouts, ...options });
  }

  compiled(): Compiled {
    const codeOf = (unit: Unit) => this.codeOf(unit);
    const ends = this.options.fused
      ? epilogues(this.program, this.groups, { codeOf, desk: this, op: this.op })
      : new Map<Unit, Unit>();
    const attached = new Set(ends.values());
    for (const unit of this.groups.units) {
      const [node] = unit.nodes as [Node];
      const end = ends.get(unit);
      if (end) this.share(node.outputs[0]!, end);
      if (end) this.instructions.push(matmul(node, this, { code: codeOf(end), op: this.op }));
      else if (!unit.dims) this.kernel(node);
      else if (!attached.has(unit)) this.map(codeOf(unit), this.stored(unit));
    }
    const { outputs, next } = this.program;
    const targets = [
      ...Object.entries(outputs).map(([name, t]) => this.target("output", name, t)),
      ...Object.entries(next).map(([name, t]) => this.target("state", name, t)),
    ];
    return { instructions: this.instructions, targets };
  }

  /** A product that only its epilogue reads is written where a result of that goes. */
  private share(product: Tensor, end: Unit): void {
    if (!this.groups.readersOf(product.node).every((r) => r.node && end.nodes.includes(r.node))) return;
    const bytes = bytesOfView(product.dtype, product.shape);
    const result = this.stored(end).find((t) => {
      const view = this.view(t);
      return view.buffer.bytes === bytes && view.offset === 0 && isContiguous(view) && t.dtype === product.dtype;
    });
    if (result) this.buffers.set(product, this.bufferOf(this.layouts.of(result).base));
  }

  private kernel(node: Node): void {
    if (node.op.name !== "concat") {
      this.instructions.push(forms[node.op.name]!(node, this));
      return;
    }
    const whole = node.outputs[0]!;
    for (const copy of this.layouts.copies)
      if (copy.whole === whole) this.map(copyCode(this.view(copy.part), this.at(copy.into, copy.part)), [whole]);
  }

  private codeOf(unit: Unit): MapCode {
    const site: Site = { view: (t) => this.view(t), isStored: (node) => this.groups.isStored(node, unit) };
    const code = new MapCode(unit.dims!);
    for (const node of unit.nodes) code.add(node, site);
    return code;
  }
  private stored = (unit: Unit): Tensor[] =>
    unit.nodes.filter((node) => this.groups.isStored(node, unit)).flatMap((node) => node.outputs);

  private map(code: MapCode, of: readonly Tensor[]): void {
    this.instructions.push(this.instructionOf(code, of));
  }
  private instructionOf = (code: MapCode, of: readonly Tensor[]): Instruction =>
    new Draft("map", of, code.nodes).with(code.words(this.op), code).done();

  view(t: Tensor): View {
    return this.at(this.layouts.of(t), t);
  }
  result = (t: Tensor): View => this.view(t);

  private at({ base, offset, strides, after }: Layout, { shape, dtype }: Tensor): View {
    const waits = after?.map((t) => this.bufferOf(this.layouts.of(t).base));
    return { buffer: this.bufferOf(base), offset, strides, shape, dtype, ...(waits && { after: waits }) };
  }

  row(t: Tensor): View {
    const view = this.view(t);
    if (isContiguous(view)) return view;
    const found = this.rows.get(t);
    if (found) return found;
    const to = rowOf({ kind: "arena", bytes: bytesOfView(t.dtype, t.shape), name: t.op.name, of: t }, t);
    this.rows.set(t, to);
    this.map(copyCode(view, to), [t]);
    return to;
  }

  check(indices: Tensor, limit: number): void {
    const view = this.row(indices);
    const known = this.checked.some(
      (c) => c.view.buffer === view.buffer && c.view.offset === view.offset && c.limit === limit,
    );
    if (known) return;
    this.checked.push({ view, limit });
    const draft = new Draft("checkIndices", [indices], []).numbers(size(indices.shape), limit).type(indices.dtype);
    this.instructions.push(draft.read(view).done());
  }

  private bufferOf(base: Tensor): Buffer {
    const named = isParam(base) || isInput(base);
    const key = named ? `${base.op.name} ${nameOf(base)}` : base;
    const found = this.buffers.get(key);
    if (found) return found;
    const bytes = bytesOfView(base.dtype, base.shape);
    const buffer: Buffer = isConstant(base)
      ? { kind: "constant", bytes, name: "constant", data: bytesOfConstant(base) }
      : named
        ? { kind: isParam(base) ? "state" : "input", bytes, name: nameOf(base) }
        : { kind: "arena", bytes, name: base.op.name, of: base };
    this.buffers.set(key, buffer);
    return buffer;
  }

  private target(kind: "output" | "state", name: string, t: Tensor): Target {
    const key = `param ${name}`;
    const known = kind === "state" ? this.buffers.get(key) : undefined;
    const to = known ?? { kind, bytes: bytesOfView(t.dtype, t.shape), name };
    // whoever reads the parameter later on reads this very memory
    if (kind === "state") this.buffers.set(key, to);
    let from = this.view(t);
    // a value of the state may be written before it is copied to another name
    if (kind === "state" && from.buffer.kind === "state") {
      const own = rowOf({ kind: "arena", bytes: to.bytes, name, of: t }, t);
      this.map(copyCode(from, own), [t]);
      from = own;
    }
    return { from, to, copy: this.instructionOf(copyCode(from, rowOf(to, t)), [t]) };
  }
}

const rowOf = (buffer: Buffer, { shape, dtype }: Tensor): View => ({
  buffer,
  offset: 0,
  shape,
  strides: rowMajor(shape),
  dtype,
});

function bytesOfConstant(t: Tensor): Uint8Array {
  const { data }: Nd = nd(t.dtype, t.shape, constantData(t));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
