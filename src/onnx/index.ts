/** The ONNX format: a program as a model that other runtimes run. */
export { type AxisNames, standIns } from "./axes.js";
export { type EmitOptions, type Emitted, emit, emitModel, speaks } from "./emit.js";
export { type OnnxModel, type OnnxNode, serialise } from "./protobuf.js";
export { halved, quantisedModel } from "./stored.js";
