/** Leaves have no inputs: a program's parameters, its feeds, its constants. A leaf is known by its name: two of one name are one value. */
import { fail } from "./error.js";
import type { AnyOp } from "./op.js";
import { Node, nodes, type Tensor } from "./tensor.js";
import { f32, type Shape, show, size, type Type } from "./type.js";

/** First values of a parameter; `random` is uniform on [0, 1). */
export type Init = (shape: Shape, random: () => number) => Float32Array;

const leaf = (name: string): AnyOp => ({
  name,
  type: () => {
    throw fail("internal", `${name} has no inputs`);
  },
  samples: [],
});
const paramOp = leaf("param");
const inputOp = leaf("input");
const constantOp = leaf("constant");

/** A named value of the state: it keeps what a program's `next` gives it. */
export const param = (name: string, shape: Shape, init: Init): Tensor =>
  new Node(paramOp, [], { name, init }, [f32(shape)]).outputs[0]!;
/** A named value fed at every run. */
export const input = (name: string, type: Type): Tensor => new Node(inputOp, [], { name }, [type]).outputs[0]!;

/** A value known when the graph is built; one number fills the shape and is kept as one number. */
export function constant(value: number | ArrayLike<number>, type: Type): Tensor {
  const splat = typeof value === "number";
  if (!splat && value.length !== size(type.shape))
    throw fail("shape", `constant ${show(type)} holds ${size(type.shape)} elements, got ${value.length}`);
  return new Node(constantOp, [], { data: splat ? value : Float64Array.from(value) }, [type]).outputs[0]!;
}
export const scalar = (x: number): Tensor => constant(x, f32([]));

export const isParam = (t: Tensor): boolean => t.op === paramOp;
export const isInput = (t: Tensor): boolean => t.op === inputOp;
export const isConstant = (t: Tensor): boolean => t.op === constantOp;
/** A name, for a parameter or an input. */
export const nameOf = (t: Tensor): string => (t.attrs as { name: string }).name;
export const initOf = (t: Tensor): Init => (t.attrs as { init: Init }).init;
/** A constant's one number when it is the same everywhere, else its values. */
export const constantData = (t: Tensor): number | Float64Array => (t.attrs as { data: number | Float64Array }).data;
/** The number a constant holds everywhere, or undefined. */
export const splatOf = (t: Tensor): number | undefined => {
  if (!isConstant(t)) return undefined;
  const value = constantData(t);
  return typeof value === "number" ? value : value.length === 1 ? value[0] : undefined;
};

/** Every parameter that `roots` reach, each name once. */
export function params(roots: readonly Tensor[]): Tensor[] {
  const found = new Map<string, Tensor>();
  for (const node of nodes(roots)) {
    const t = node.outputs[0]!;
    if (isParam(t) && !found.has(nameOf(t))) found.set(nameOf(t), t);
  }
  return [...found.values()];
}

/** Where a model declares its parameters; a path names one parameter, once. */
export class Scope {
  constructor(
    readonly path = "",
    private readonly taken = new Map<string, Tensor>(),
  ) {}
  at(name: string | number): Scope {
    return new Scope(this.path ? `${this.path}.${name}` : `${name}`, this.taken);
  }
  param(name: string, shape: Shape, init: Init): Tensor {
    const { path } = this.at(name);
    const old = this.taken.get(path);
    if (old)
      throw fail("path", `parameter ${path} is declared twice: ${show(old.type)}`, "pass the tensor to tie weights");
    const t = param(path, shape, init);
    this.taken.set(path, t);
    return t;
  }
  /** The parameter already declared under this name: how one is shared by parts that do not pass it on. */
  find(name: string): Tensor | undefined {
    return this.taken.get(this.at(name).path);
  }
}
