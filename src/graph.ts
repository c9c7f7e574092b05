/** plinth/graph: the language that models are written in. Graphs, gradients, passes, update rules, layers. */
export { type Adaptation, adapt, freeze, lora } from "./adapt/index.js";
export { grad } from "./grad/index.js";
export {
  constant,
  type Dtype,
  type Exact,
  evaluate,
  exact,
  f32,
  i32,
  input,
  type Nd,
  nd,
  type Program,
  param,
  params,
  print,
  Scope,
  type Shape,
  Tensor,
  type Type,
  trainable,
} from "./ir/index.js";
export { initialise, layerNorm, linear, normal, ones, zeros } from "./nn/index.js";
export { emit } from "./onnx/index.js";
export {
  attention,
  concat,
  crossEntropy,
  dropout,
  gelu,
  geluErf,
  rotary,
  scatterAdd,
  silu,
  table,
  uniform,
  where,
} from "./ops/index.js";
export { adamw, lion, muon, type Rule, schedule, sgd, training } from "./optim/index.js";
export { flops, peakBytes, prepare, splitLowRank } from "./passes/index.js";
export { engines } from "./runtime/index.js";
