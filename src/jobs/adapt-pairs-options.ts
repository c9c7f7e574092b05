/** Everything that learning from pairs of texts can be told. */
import { z } from "zod";
import { trainingOptions } from "./pretrain-options.js";

const count = z.int().positive();
const rate = z.number().positive();

/** What is learnt from a pair. */
export const pairTasks = ["sentence-pairs", "text-to-text"] as const;
export type PairTask = (typeof pairTasks)[number];

/** What `adaptPairs` takes. */
export const adaptPairsOptions = z.object({
  task: z
    .enum(pairTasks)
    .describe("sentence-pairs: texts that belong together get near vectors; text-to-text: to write the second"),
  data: z.array(z.string()).min(1).describe("pairs: files with two columns of text"),
  base: z.string().default("plinth-tiny-en").describe("the model to start from: a model folder or a finished run"),
  out: z.string().default("runs/adapt").describe("the run folder to write"),
  method: z.enum(["full"]).default("full").describe("full: every weight learns"),
  validation: z.array(z.string()).optional().describe("pairs to measure on; a share of the data if absent"),
  heldOutShare: z.number().gt(0).lt(0.4).default(0.15).describe("share of the pairs set apart to measure on"),
  first: z.string().optional().describe("column of the first text; anchor for sentence pairs, else source, if absent"),
  second: z.string().optional().describe("column of the second; positive for sentence pairs, else target, if absent"),
  pooling: z
    .enum(["mean", "cls", "last"])
    .optional()
    .describe("sentence pairs: how a text becomes one vector; the family's own way if absent"),
  scale: rate.default(20).describe("sentence pairs: what cosines are multiplied with, the inverse of the temperature"),
  symmetric: z.boolean().default(false).describe("sentence pairs: find the first from the second too"),
  overflow: z.enum(["error", "drop", "truncate"]).default("error").describe("what happens to texts that are too long"),
  contextLength: count.optional().describe("tokens a text may have; the base's if absent"),
  epochs: rate.default(3).describe("passes over the pairs"),
  steps: count.optional().describe("optimiser steps, in place of epochs"),
  learningRate: rate.default(5e-4).describe("peak learning rate"),
  ...trainingOptions,
  schedule: trainingOptions.schedule.default("linear"),
  warmupShare: trainingOptions.warmupShare.default(0.1),
  finalShare: trainingOptions.finalShare.default(0),
  weightDecay: trainingOptions.weightDecay.default(0.01),
  evaluateExamples: count.default(1000).describe("pairs of each evaluation, at most"),
  saveEvery: z.int().min(0).default(0).describe("steps between checkpoints; only at the end if 0"),
  patience: count.optional().describe("stop after so many evaluations without a better score"),
});
export type AdaptPairsOptions = z.input<typeof adaptPairsOptions>;
export type ResolvedAdaptPairs = z.output<typeof adaptPairsOptions>;
