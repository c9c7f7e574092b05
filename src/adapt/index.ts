/** Adapting: which parameters learn, as expressions over the base; merging and keeping what was learnt. */
export { type Adaptation, adapt, freeze, full, head } from "./adapt.js";
export { type Adapter, hashWeights, loadAdapter, saveAdapter, withAdapter } from "./adapter.js";
export { type Frontier, frontier } from "./frontier.js";
export { type LoraOptions, lora, matrices, targets } from "./lora.js";
export { merge, mergeProgram, requireSame } from "./merge.js";
export { type Method, type MethodName, type MethodOptions, methods } from "./methods.js";
export { type Pattern, select } from "./select.js";
