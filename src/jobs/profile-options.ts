/** What a profile of a training step can be told: the model and the step as in pre-training. */
import { z } from "zod";
import { pretrainOptions } from "./pretrain-options.js";

const { family, preset, size, contextLength, model, maskRate, batchSize, optimizer, seed, threads } =
  pretrainOptions.shape;

/** What `profile` takes. */
export const profileOptions = z.object({
  preset,
  family,
  size,
  contextLength,
  model,
  vocabSize: z
    .int()
    .positive()
    .optional()
    .describe("entries of the vocabulary; the preset's, or 8192, if absent: the tokens are random"),
  maskRate,
  batchSize,
  optimizer,
  seed,
  threads,
  runs: z.int().positive().default(10).describe("steps that are measured; what is said is their median"),
});
export type ProfileOptions = z.input<typeof profileOptions>;
export type ResolvedProfile = z.output<typeof profileOptions>;
