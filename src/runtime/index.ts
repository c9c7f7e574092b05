/** Engines and sessions: programs run here, over a state of named values. */
export { automaticEngine, chooseEngine, engines } from "./choose.js";
export type { Engine, Pieces, Probe, RunOptions, Session, SessionOptions, State } from "./engine.js";
export { native, nativeEngine } from "./native/engine.js";
export { type Peaks, peaks } from "./native/peaks.js";
export { type OnnxFile, openOnnxFile } from "./onnx-file.js";
export { type OrtOptions, ort, ortEngine } from "./ort.js";
export { peak } from "./peak.js";
export type { HeldValue, InstructionProfile, MemoryProfile, Profile } from "./profile.js";
export { reference } from "./reference.js";
