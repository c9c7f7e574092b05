/** One object says everything about one operation: type, meaning, gradient, ONNX, cost, samples. */
import { PlinthError } from "./error.js";
import type { Exact } from "./nd.js";
import { Node, type Tensor } from "./tensor.js";
import type { Dtype, Shape, Type } from "./type.js";

type Each<In extends readonly Tensor[], T> = { readonly [K in keyof In]: T };
type OneOrMany<T> = T | readonly T[];

/** What an op's `onnx` function writes with. Names are ONNX value names. */
export interface Emitter {
  /** Whether the target has ONNX Runtime's own operators (domain com.microsoft). */
  readonly contrib: boolean;
  /** Append a node and return its one output. */
  node(type: string, inputs: readonly string[], attrs?: OnnxAttrs, domain?: string): string;
  /** Append a node and return its `outputs` outputs. */
  many(outputs: number, type: string, inputs: readonly string[], attrs?: OnnxAttrs, domain?: string): string[];
  /** A named initialiser; equal ones are shared. */
  constant(dtype: Dtype, shape: Shape, values: ArrayLike<number> | number): string;
  /** Sizes as an i64 list: a constant, or computed from the inputs where one is the length of an axis that varies. */
  shape(sizes: Shape): string;
}
/** Whole numbers are written as ints; `{ float }` forces a float. */
export type OnnxAttr = number | string | readonly number[] | { readonly float: number };
export type OnnxAttrs = Readonly<Record<string, OnnxAttr>>;

/** One input of a sample: a shape of f32 in [0.5, 1.5), or a full description. Integers are drawn from [low, high). */
export type SampleInput =
  | Shape
  | {
      readonly shape: Shape;
      readonly dtype?: Dtype;
      readonly low?: number;
      readonly high?: number;
      /** Not drawn: what follows from the inputs before it, and has to agree with them. */
      readonly of?: (before: readonly Tensor[]) => Tensor;
    };
export interface Sample<A> {
  readonly inputs: readonly SampleInput[];
  readonly attrs?: A;
  /** False where no gradient is to be checked (the op has none). */
  readonly grad?: boolean;
}

export interface OpDef<In extends readonly Tensor[], A, Out extends OneOrMany<Tensor> = Tensor> {
  readonly name: string;
  /** Output type or types, or a PlinthError that says which input is wrong and what to do. */
  type(inputs: Each<In, Type>, attrs: A): OneOrMany<Type>;
  /** The meaning, in float64. A composite may leave it to `lower`. */
  ref?(inputs: Each<In, Exact>, attrs: A, out: readonly Type[]): OneOrMany<Float64Array>;
  /** Cotangent of each input, `null` where there is none; `grad` undoes broadcasting. A composite may leave it to `lower`. */
  vjp?(
    g: Out extends readonly Tensor[] ? readonly (Tensor | null)[] : Tensor,
    inputs: In,
    y: Out,
    attrs: A,
  ): Each<In, Tensor | null>;
  /** A composite: the same value from simpler ops. */
  lower?(inputs: In, attrs: A): Out;
  /** The ONNX operator of one name and the same inputs, or how the op is written with several. None: emitted lowered. */
  readonly onnx?: string | ((e: Emitter, inputs: readonly string[], attrs: A, types: OnnxTypes) => OneOrMany<string>);
  /** Floating-point operations; by default one for each output element. */
  cost?(inputs: Each<In, Type>, outputs: readonly Type[], attrs: A): number;
  /** Inputs on which the op table's tests run: shape, gradient, agreement of engines. */
  readonly samples: readonly Sample<A>[];
}
export interface OnnxTypes {
  readonly inputs: readonly Type[];
  readonly outputs: readonly Type[];
}
// biome-ignore lint/suspicious/noExplicitAny: the table is heterogeneous
export type AnyOp = OpDef<any, any, any>;
export type Op<In extends readonly Tensor[], A = void, Out extends OneOrMany<Tensor> = Tensor> = OpDef<In, A, Out> &
  ((...args: A extends void ? In : [...In, A]) => Out);

/** Apply an op to inputs: the one place where a node is made. */
export function apply(def: AnyOp, inputs: readonly Tensor[], attrs?: unknown): readonly Tensor[] {
  const types = located(inputs, () =>
    def.type(
      inputs.map((t) => t.type),
      attrs,
    ),
  );
  return new Node(def, inputs, attrs, Array.isArray(types) ? types : [types as Type]).outputs;
}

/** Define an op; the result is the definition and, called, applies it: `matmul(x, w)`. */
export function op<In extends readonly Tensor[], A = void, Out extends OneOrMany<Tensor> = Tensor>(
  def: OpDef<In, A, Out>,
): Op<In, A, Out> {
  const arity = def.samples[0]!.inputs.length;
  const { name, ...rest } = def;
  const call = (...args: unknown[]) => {
    const outputs = apply(self, args.slice(0, arity) as unknown as In, args[arity]);
    return outputs.length === 1 ? outputs[0] : outputs;
  };
  const self = Object.defineProperty(Object.assign(call, rest), "name", { value: name }) as unknown as Op<In, A, Out>;
  return self;
}

/** Errors of `type` say at which parameter: the nearest one among the inputs. */
function located<T>(inputs: readonly Tensor[], f: () => T): T {
  try {
    return f();
  } catch (e) {
    if (!(e instanceof PlinthError) || e.at) throw e;
    const name = inputs.map(parameterName).find(Boolean);
    throw name ? new PlinthError(e.code, e.what, e.help, name) : e;
  }
}
function parameterName(t: Tensor, depth = 0): string | undefined {
  if (t.op.name === "param") return (t.attrs as { name: string }).name;
  return depth > 3 ? undefined : t.inputs.map((x) => parameterName(x, depth + 1)).find(Boolean);
}
