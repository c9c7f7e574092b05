/** Everything an adaptation can be told: the flags of `plinth adapt`, the keys of its configuration. */
import { z } from "zod";
import { type MethodName, methods } from "../adapt/index.js";
import { overflows } from "../data/index.js";
import { trainingOptions } from "./pretrain-options.js";

const count = z.int().positive();
const rate = z.number().positive();

/** What `adapt` takes for text classification. */
export const adaptOptions = z.object({
  data: z
    .array(z.string())
    .min(1)
    .describe("labelled examples: files with a text and a label column, or wordnet:categories"),
  base: z.string().default("plinth-tiny-en").describe("the model to start from: a model folder or a finished run"),
  out: z.string().default("runs/adapt").describe("the run folder to write"),
  validation: z
    .array(z.string())
    .optional()
    .describe("examples to choose the best weights by; a share of the data if absent"),
  test: z.array(z.string()).optional().describe("examples for the final scores; a share of the data if absent"),
  heldOutShare: z.number().gt(0).lt(0.4).default(0.15).describe("share set apart for each of validation and test"),
  text: z.string().default("text").describe("column of the text"),
  label: z.string().default("label").describe("column of the label"),
  examples: count.optional().describe("learn from this many examples only, drawn by the seed"),
  method: z
    .enum(Object.keys(methods) as [MethodName])
    .default("full")
    .describe("full: everything learns; head: a new head on a frozen body; lora: low-rank differences"),
  rank: count.default(8).describe("lora: rank of the differences"),
  alpha: rate.optional().describe("lora: the difference is scaled by alpha over rank; twice the rank if absent"),
  pooling: z
    .enum(["mean", "cls", "last"])
    .optional()
    .describe("how a text becomes one vector; the family's own way if absent"),
  overflow: z.enum(overflows).default("error").describe("what happens to texts longer than the context"),
  contextLength: count.optional().describe("tokens a text may have; the base's if absent"),
  epochs: rate.default(12).describe("passes over the examples, within 150 to 3,000 steps"),
  steps: count.optional().describe("optimiser steps, in place of epochs"),
  learningRate: rate.optional().describe("peak learning rate; the method's measured default if absent"),
  ...trainingOptions,
  batchSize: count.default(16).describe("examples in a batch"),
  schedule: trainingOptions.schedule.default("linear"),
  warmupShare: trainingOptions.warmupShare.default(0.1),
  finalShare: trainingOptions.finalShare.default(0),
  weightDecay: trainingOptions.weightDecay.default(0.01),
  evaluateExamples: count.default(1000).describe("validation examples of each evaluation, at most"),
  saveEvery: z.int().min(0).default(0).describe("steps between checkpoints; only at the end if 0"),
  allow: z.array(z.string()).default([]).describe("findings of the doctor that are known and accepted, by their code"),
  patience: count.optional().describe("stop after so many evaluations without a better accuracy"),
});
export type AdaptOptions = z.input<typeof adaptOptions>;
export type ResolvedAdapt = z.output<typeof adaptOptions>;
