/** How ops are said to the register machine: by the kind of number that its lanes hold. */
import { type Dtype, fail, type Tensor } from "../../ir/index.js";

/** What a lane of 32 bits holds. */
type Lane = "float" | "int" | "unsigned" | "bool";
const lanes = {
  f32: "float",
  f16: "float",
  bf16: "float",
  i32: "int",
  i64: "int",
  u32: "unsigned",
  bool: "bool",
} satisfies Record<Dtype, Lane>;

const floats = (names: string) => Object.fromEntries(names.split(" ").map((name) => [name, { float: name }]));
const integers = { int: "equalI", unsigned: "equalI", bool: "equalI" };

/** Op name to the machine's name for it, for each kind of lane its first input may have. */
const table: Readonly<Record<string, Partial<Record<Lane, string>>>> = {
  ...floats("div exp log sqrt tanh sigmoid erf sin cos relu"),
  add: { float: "add", int: "addI", unsigned: "addI" },
  sub: { float: "sub", int: "subI", unsigned: "subI" },
  mul: { float: "mul", int: "mulI", unsigned: "mulI" },
  div: { float: "div", int: "divI" },
  maximum: { float: "maximum", int: "maximumI", unsigned: "maximumU" },
  minimum: { float: "minimum", int: "minimumI", unsigned: "minimumU" },
  neg: { float: "neg", int: "negI" },
  abs: { float: "abs", int: "absI", unsigned: "copy" },
  sign: { float: "sign", int: "signI" },
  relu: { float: "relu" },
  equal: { float: "equal", ...integers },
  less: { float: "less", int: "lessI", unsigned: "lessU" },
  lessEqual: { float: "lessEqual", int: "lessEqualI", unsigned: "lessEqualU" },
  and: { bool: "and" },
  or: { bool: "or" },
  not: { bool: "not" },
  where: { bool: "where" },
};

/** A cast from one kind of lane to another. */
const casts: Readonly<Record<Lane, Readonly<Record<Lane, string>>>> = {
  float: { float: "copy", int: "f32ToI", unsigned: "f32ToU", bool: "toBool" },
  int: { float: "iToF", int: "copy", unsigned: "copy", bool: "iToBool" },
  unsigned: { float: "uToF", int: "copy", unsigned: "copy", bool: "iToBool" },
  bool: { float: "boolToF", int: "copy", unsigned: "copy", bool: "copy" },
};

/** Reductions that end a chain, by the number of their kind. */
export const reductions: Readonly<Record<string, number>> = { sum: 0, sumSquare: 0, max: 1 };

/** Whether the register machine computes the op: each element from one of each input, or a reduction of that. */
export const isElementwise = (name: string): boolean =>
  name in table || name in reductions || name === "cast" || name === "uniform";

/** The machine's instruction for a node. Throws `engine` for element types that it does not compute with. */
export function instructionOf(t: Tensor): string {
  const [x] = t.inputs;
  const name = t.op.name;
  const lane = lanes[x!.dtype];
  const found = name === "cast" ? casts[lane][lanes[t.dtype]] : table[name]?.[lane];
  if (!found)
    throw fail(
      "engine",
      `the native engine has no ${name} of ${x!.dtype}`,
      "cast to f32 or i32 first, or use the ort engine",
    );
  return found;
}

/** A number as the bits of a lane. */
export function laneBits(x: number, dtype: Dtype): number {
  const lane = lanes[dtype];
  if (lane === "bool") return x ? 1 : 0;
  if (lane !== "float") return x >>> 0;
  scratch[0] = x;
  return new Uint32Array(scratch.buffer)[0]!;
}
const scratch = new Float32Array(1);
