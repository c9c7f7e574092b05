/** What a trained model does for its users. */
export { type GenerateOptions, generate, type NextToken, nextToken, text } from "./generate.js";
export type { Choice, SampleOptions } from "./sample.js";
