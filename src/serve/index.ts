/** What a trained model does for its users. */
export { type Beam, type BeamOptions, beamSearch } from "./beams.js";
export { type Constraint, constraintOf, type Pieces, parsePattern, schemaExpression } from "./constraint/index.js";
export { type Decoder, decoderOf } from "./decoder.js";
export type { Beginning, EndOptions } from "./ends.js";
export { type Choice, type GenerateOptions, generate, generateAll } from "./generate.js";
export type { PenaltyOptions } from "./penalties.js";
export type { SampleOptions } from "./sample.js";
export { type Writer, writer } from "./text.js";
