/** Values for the op table's samples: what every table-driven test feeds. */
import {
  type AnyOp,
  apply,
  constant,
  type Exact,
  evaluate,
  input,
  type Sample,
  size,
  type Tensor,
  type Type,
} from "../src/ir/index.js";
import { mix } from "../src/ops/index.js";

export interface Case {
  readonly name: string;
  readonly op: AnyOp;
  readonly attrs: unknown;
  readonly types: readonly Type[];
  readonly grad: boolean;
}

/** Every sample of an op, described. */
export const cases = (op: AnyOp): Case[] =>
  op.samples.map((sample: Sample<unknown>, i: number) => ({
    name: `${op.name} ${i}: ${sample.inputs.map((x) => ("shape" in x ? `${x.dtype ?? "f32"}[${x.shape}]` : `[${x}]`)).join(" ")}`,
    op,
    attrs: sample.attrs,
    types: sample.inputs.map(
      (x): Type => ("shape" in x ? { dtype: x.dtype ?? "f32", shape: x.shape } : { dtype: "f32", shape: x }),
    ),
    grad: sample.grad ?? true,
  }));

/** Uniform numbers in [0, 1), the same for the same seed. */
export function uniform(seed: number): () => number {
  let i = Math.imul(seed + 1, 0x9e3779b9);
  return () => mix(i++) / 2 ** 32;
}

/** Inputs for sample `i` of an op, in float64; floats are representable in f32. */
export function feeds(op: AnyOp, i: number): Exact[] {
  const random = uniform(i);
  const before: Tensor[] = [];
  return (op.samples[i]! as Sample<unknown>).inputs.map((x) => {
    const { shape, dtype = "f32", low = 0.5, high = 1.5, of } = "shape" in x ? x : { shape: x, of: undefined };
    const draw = () => low + (high - low) * random();
    const data = of
      ? evaluate([of(before)], new Map())[0]!.data.map(Math.fround)
      : Float64Array.from({ length: size(shape) }, () => (dtype === "f32" ? Math.fround(draw()) : Math.floor(draw())));
    before.push(constant(data.length === 1 ? data[0]! : data, { dtype, shape }));
    return { shape, data };
  });
}

/** The op applied to inputs named x0, x1, … */
export function graph({ op, attrs, types }: Case): { xs: Tensor[]; ys: readonly Tensor[] } {
  const xs = types.map((t, i) => input(`x${i}`, t));
  return { xs, ys: apply(op, xs, attrs) };
}
