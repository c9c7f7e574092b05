/** A program as an ONNX model: walk the graph and ask each op how it is said in ONNX. */
import {
  type AnyOp,
  constantData,
  type Dtype,
  type Emitter,
  fail,
  inputs,
  isConstant,
  isInput,
  isParam,
  type Nd,
  type Node,
  nameOf,
  nd,
  nodes,
  type OnnxAttrs,
  type Program,
  params,
  roots,
  type Shape,
  sameShape,
  show,
  size,
  type Tensor,
  type Type,
} from "../ir/index.js";
import { type AxisNames, named, type Said, said, sourceOf } from "./axes.js";
import { type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue, serialise } from "./protobuf.js";

export interface Emitted {
  readonly model: OnnxModel;
  /** The leaves: each is an input of the model under its own name, parameters only where their values were not given. */
  readonly params: Readonly<Record<string, Type>>;
  readonly inputs: Readonly<Record<string, Type>>;
  /** The model's output name of each of the program's outputs and of each next value. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly next: Readonly<Record<string, string>>;
}

const opset = 21;
/** A constant of one number is stored in full up to this many elements. */
const fullSplat = 256;

/** Whether `emit` can say the op: it has an ONNX form. */
export const speaks = (op: AnyOp): boolean => op.onnx !== undefined;

export interface EmitOptions {
  /** Use ONNX Runtime's own operators where ops ask for them. */
  readonly contrib?: boolean;
  /** Sizes that stand for axes of any length. */
  readonly axes?: AxisNames;
  /** Values of the parameters: constants of the model, where they are inputs otherwise. */
  readonly weights?: ReadonlyMap<string, Nd>;
}

/** The program as the bytes of an ONNX model, with what its inputs and outputs are called. */
export function emit(program: Program, options: EmitOptions = {}): Emitted & { readonly bytes: Uint8Array } {
  const emitted = emitModel(program, options);
  return { ...emitted, bytes: serialise(emitted.model) };
}

/**
 * The program as an ONNX model of opset 21. Every op must have an ONNX form: lower those that have not first. Throws a PlinthError
 * when one has not, and `onnx` where something depends on the length of an axis in a way that ONNX cannot say.
 */
export function emitModel(program: Program, { contrib = false, axes = new Map(), weights }: EmitOptions = {}): Emitted {
  const leaves = namedLeaves(program);
  const graph = new Graph(contrib, leaves, { axes, weights });
  const claim = (names: readonly string[], suffix = "") =>
    Object.fromEntries(names.map((name) => [name, graph.claim(`${name}${suffix}`)]));
  const outputs = claim(Object.keys(program.outputs));
  const next = claim(Object.keys(program.next), ".next");
  for (const node of nodes(roots(program))) graph.add(node);
  for (const [name, t] of Object.entries(program.outputs)) graph.result(outputs[name]!, t);
  for (const [name, t] of Object.entries(program.next)) graph.result(next[name]!, t);
  const types = (found: readonly Tensor[]) => Object.fromEntries(found.map((t) => [nameOf(t), t.type]));
  return {
    model: graph.model(),
    params: types(params(roots(program))),
    inputs: types(inputs(program)),
    outputs,
    next,
  };
}

/** Parameters and inputs by name. Throws where one name has two types or two roles. */
function namedLeaves(program: Program): Map<string, OnnxValue> {
  const found = new Map<string, Tensor>();
  for (const { outputs } of nodes(roots(program))) {
    const t = outputs[0]!;
    if (!isParam(t) && !isInput(t)) continue;
    const old = found.get(nameOf(t)) ?? t;
    if (old.op !== t.op || old.dtype !== t.dtype || !sameShape(old.shape, t.shape))
      throw fail("path", `${nameOf(t)} is both ${old.op.name} ${show(old.type)} and ${t.op.name} ${show(t.type)}`);
    found.set(nameOf(t), t);
  }
  return new Map([...found].map(([name, t]) => [name, { name, ...t.type }]));
}

/** The ONNX graph under construction. */
class Graph implements Emitter {
  private readonly names = new Map<Tensor, string>();
  private readonly nodes: OnnxNode[] = [];
  private readonly initialisers: OnnxTensor[] = [];
  private readonly outputs: OnnxValue[] = [];
  private readonly constants = new Map<string, string>();
  private readonly taken: Set<string>;
  private readonly produced = new Set<string>();
  /** What a value is called at last: a result takes the program's name for it. */
  private readonly renamed = new Map<string, string>();
  private count = 0;
  private current = "";

  constructor(
    readonly contrib: boolean,
    private readonly leaves: ReadonlyMap<string, OnnxValue>,
    private readonly o: { readonly axes: AxisNames; readonly weights: ReadonlyMap<string, Nd> | undefined },
  ) {
    this.taken = new Set(leaves.keys());
  }

  add(node: Node): void {
    const first = node.outputs[0]!;
    this.current = node.op.name;
    if (isParam(first) || isInput(first)) this.leaf(nameOf(first), first);
    else if (isConstant(first)) this.names.set(first, this.constant(first.dtype, first.shape, constantData(first)));
    else {
      const results = this.say(node);
      if (results.length < node.outputs.length)
        throw fail(
          "internal",
          `${node.op.name}: its ONNX form has ${results.length} results, not ${node.outputs.length}`,
        );
      node.outputs.forEach((t, i) => {
        this.names.set(t, results[i]!);
      });
    }
  }

  private leaf(name: string, t: Tensor): void {
    this.names.set(t, name);
    const value = isParam(t) ? this.o.weights?.get(name) : undefined;
    if (value && !this.initialisers.some((known) => known.name === name))
      this.initialisers.push({ name, dtype: value.dtype, shape: value.shape, bytes: rawBytes(value) });
  }

  private say(node: Node): readonly string[] {
    const { op, attrs } = node;
    const names = node.inputs.map((t) => this.names.get(t)!);
    if (!op.onnx) throw fail("internal", `op ${op.name} has no ONNX form`, "lower the program before emitting it");
    if (typeof op.onnx === "string") return this.many(node.outputs.length, op.onnx, names);
    const types = { inputs: node.inputs.map((t) => t.type), outputs: node.types };
    const result = op.onnx(this, names, attrs, types);
    return typeof result === "string" ? [result] : result;
  }

  node(type: string, inputs: readonly string[], attrs?: OnnxAttrs, domain?: string): string {
    return this.many(1, type, inputs, attrs, domain)[0]!;
  }

  many(count: number, type: string, inputs: readonly string[], attrs: OnnxAttrs = {}, domain = ""): string[] {
    const outputs = Array.from({ length: count }, () => this.fresh(this.current));
    this.nodes.push({ type, inputs, outputs, attrs, domain });
    for (const name of outputs) this.produced.add(name);
    return outputs;
  }

  constant(dtype: Dtype, shape: Shape, values: ArrayLike<number> | number): string {
    const data = typeof values !== "number" && values.length === 1 ? values[0]! : values;
    const key = constantKey(dtype, shape, data);
    const known = key && this.constants.get(key);
    if (known) return known;
    const splat = typeof data === "number" && size(shape) > fullSplat;
    const name = splat ? this.filled(dtype, shape, data) : this.stored(dtype, shape, data);
    if (key) this.constants.set(key, name);
    return name;
  }

  shape(sizes: Shape): string {
    const terms = sizes.map((size) => said(size, this.o.axes));
    if (!terms.some(Boolean)) return this.constant("i64", [sizes.length], sizes);
    const key = `shape ${sizes}`;
    const known = this.constants.get(key);
    if (known) return known;
    const parts = terms.map((term, i) => (term ? this.product(term) : this.constant("i64", [1], [sizes[i]!])));
    const name = parts.length === 1 ? parts[0]! : this.node("Concat", parts, { axis: 0 });
    this.constants.set(key, name);
    return name;
  }
  /** i64 [1]. */
  private product({ factor, axes, plus }: Said): string {
    const names = axes.map((axis) => this.axis(axis));
    const one = (n: number) => this.constant("i64", [1], [n]);
    if (factor > 1) names.push(one(factor));
    const product = names.reduce((a, b) => this.node("Mul", [a, b]));
    return plus ? this.node("Add", [product, one(plus)]) : product;
  }
  /** The length that an axis has in this run, i64 [1]. */
  private axis(axis: number): string {
    const key = `axis ${axis}`;
    const known = this.constants.get(key);
    if (known) return known;
    const source = sourceOf(axis, this.o.axes, this.leaves.values());
    const name =
      "sum" in source
        ? this.node(
            "Add",
            source.sum.map((part) => this.axis(part)),
          )
        : this.node("Shape", [source.input], { start: source.at, end: source.at + 1 });
    this.constants.set(key, name);
    return name;
  }

  private stored(dtype: Dtype, shape: Shape, values: ArrayLike<number> | number): string {
    if (
      [...shape, ...(dtype === "i64" && typeof values !== "number" ? Array.from(values) : [])].some((n) =>
        said(n, this.o.axes),
      )
    )
      throw fail(
        "onnx",
        `${this.current}: its constant ${show({ dtype, shape })} depends on the length of an axis`,
        "give positions and segments as inputs, so that masks are computed from them",
      );
    const name = this.fresh("constant");
    this.initialisers.push({ name, dtype, shape, bytes: rawBytes(nd(dtype, shape, values)) });
    return name;
  }

  private filled(dtype: Dtype, shape: Shape, value: number): string {
    const sizes = this.shape(shape);
    const name = this.fresh("constant");
    const tensor = { name: "", dtype, shape: [1], bytes: rawBytes(nd(dtype, [1], value)) };
    this.nodes.push({ type: "ConstantOfShape", inputs: [sizes], outputs: [name], attrs: {}, domain: "", tensor });
    return name;
  }

  /** Make `t` the model's output `name`; a leaf, a constant or a value that is a result already is copied. */
  result(name: string, t: Tensor): void {
    const value = this.names.get(t)!;
    if (this.produced.has(value) && !this.renamed.has(value)) this.renamed.set(value, name);
    else this.nodes.push({ type: "Identity", inputs: [value], outputs: [name], attrs: {}, domain: "" });
    this.outputs.push({ name, ...t.type });
  }

  model(): OnnxModel {
    const last = (name: string) => this.renamed.get(name) ?? name;
    const nodes = this.nodes.map((n) => ({ ...n, inputs: n.inputs.map(last), outputs: n.outputs.map(last) }));
    const opsets = { "": opset, ...(this.contrib ? { "com.microsoft": 1 } : {}) };
    const declared = (v: OnnxValue) => ({ ...v, shape: named(v.shape as Shape, this.o.axes) });
    const held = new Set(this.initialisers.map(({ name }) => name));
    const inputs = [...this.leaves.values()].filter(({ name }) => !held.has(name)).map(declared);
    return { nodes, initialisers: this.initialisers, inputs, outputs: this.outputs.map(declared), opsets };
  }

  /** The name itself, or with a number where it is taken. */
  claim(wanted: string): string {
    const name = this.taken.has(wanted) ? this.fresh(wanted) : wanted;
    this.taken.add(name);
    return name;
  }
  private fresh(prefix: string): string {
    let name = "";
    do name = `${prefix}_${this.count++}`;
    while (this.taken.has(name));
    this.taken.add(name);
    return name;
  }
}

/** Equal small constants have equal keys; large ones are not compared. */
const constantKey = (dtype: Dtype, shape: Shape, data: ArrayLike<number> | number): string | undefined => {
  if (typeof data !== "number" && data.length > 64) return undefined;
  const values = typeof data === "number" ? [data] : Array.from(data);
  return `${dtype}[${shape}]${values.map((x) => (Object.is(x, -0) ? "-0" : x))}${typeof data}`;
};

const rawBytes = ({ data }: Nd): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
