/** The language: values, ops, leaves, programs. Imports nothing. */
export { type Code, codes, fail, PlinthError } from "./error.js";
export { compute, evaluate } from "./evaluate.js";
export {
  constant,
  constantData,
  type Init,
  initOf,
  input,
  isConstant,
  isInput,
  isParam,
  nameOf,
  param,
  params,
  Scope,
  scalar,
  splatOf,
} from "./leaf.js";
export {
  type Arrays,
  arrayOf,
  type Exact,
  exact,
  type Nd,
  type NdArray,
  nd,
  toBfloat,
  toHalf,
} from "./nd.js";
export { nearest } from "./nearest.js";
export {
  type AnyOp,
  apply,
  type Emitter,
  type OnnxAttrs,
  type OnnxTypes,
  type Op,
  type OpDef,
  op,
  type Sample,
  type SampleInput,
} from "./op.js";
export { inputs, type Program, print, roots, trainable, withRoots } from "./program.js";
export { Node, nodes, rewrite, Tensor } from "./tensor.js";
export { madeAt, traced } from "./trace.js";
export {
  bytesOf,
  type Dtype,
  dtypes,
  f32,
  i32,
  isFloat,
  type Shape,
  sameShape,
  show,
  size,
  type Type,
  u32,
} from "./type.js";
