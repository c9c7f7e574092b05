/** Everything that going on with a language model on one's own text can be told. */
import { z } from "zod";
import { languageOptions, trainingOptions } from "./pretrain-options.js";

const count = z.int().positive();
const rate = z.number().positive();

/** What `adaptLanguage` takes. */
export const adaptLanguageOptions = z.object({
  data: z.array(z.string()).min(1).describe("text to learn from: files, folders, globs, or a built-in source"),
  base: z.string().default("plinth-tiny-en").describe("the model to start from: a model folder or a finished run"),
  out: z.string().default("runs/adapt").describe("the run folder to write"),
  method: z
    .enum(["full", "lora"])
    .default("full")
    .describe("full: every weight learns; lora: low-rank differences, kept apart as an adapter and merged"),
  rank: count.default(8).describe("lora: rank of the differences"),
  alpha: rate.optional().describe("lora: the difference is scaled by alpha over rank; twice the rank if absent"),
  select: z.array(z.string()).optional().describe("lora: names of the matrices that get a difference; all if absent"),
  contextLength: count.optional().describe("tokens a row may have; the base's if absent"),
  learningRate: rate.optional().describe("peak learning rate; the method's own default if absent"),
  ...languageOptions,
  ...trainingOptions,
  batchSize: count.default(16).describe("rows in a batch"),
  schedule: trainingOptions.schedule.default("linear"),
  warmupShare: trainingOptions.warmupShare.default(0.1),
  finalShare: trainingOptions.finalShare.default(0),
  weightDecay: trainingOptions.weightDecay.default(0.01),
});
export type AdaptLanguageOptions = z.input<typeof adaptLanguageOptions>;
export type ResolvedAdaptLanguage = z.output<typeof adaptLanguageOptions>;
