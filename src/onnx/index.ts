/** The ONNX format: a program as a model that other runtimes run. */
export { type Emitted, emit, speaks } from "./emit.js";
