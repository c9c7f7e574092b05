/** What a trained model does for its users. */
export { type Decoder, decoderOf } from "./decoder.js";
export { type Beginning, type GenerateOptions, generate, generateAll, text } from "./generate.js";
export type { Choice, SampleOptions } from "./sample.js";
