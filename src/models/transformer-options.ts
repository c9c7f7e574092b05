/** Options that every transformer family has: its sizes and its dropout, each described once. */
import { z } from "zod";

export const count = z.int().positive();
const share = z.number().min(0).max(0.9);

export const sizes = {
  vocabSize: count.describe("entries of the vocabulary"),
  contextLength: count.describe("tokens a row may have"),
  layers: count.describe("blocks of attention and MLP"),
  heads: count.describe("attention heads; hiddenSize is a multiple of them"),
  hiddenSize: count.describe("width: numbers that stand for a token"),
};

export const dropouts = {
  dropout: share.default(0).describe("share of the numbers dropped in training"),
  attentionDropout: share.default(0).describe("the same for attention probabilities"),
};

export const initialDeviation = z.number().positive().default(0.02).describe("standard deviation of the first weights");

/** Each head has an equal part of the width: the test, and what is said where it fails. */
export const headsDivideWidth = ({ hiddenSize, heads }: { readonly hiddenSize: number; readonly heads: number }) =>
  hiddenSize % heads === 0;
export const unevenHeads = { error: "hiddenSize must be a multiple of heads", path: ["heads"] };
