/** Everything pre-training can be told: the flags of `plinth pretrain`, the keys of its configuration. */
import { z } from "zod";
import { schedules } from "../optim/index.js";

const count = z.int().positive();
const rate = z.number().positive();
const share = z.number().min(0).max(1);

/** How a run is trained, whatever it learns. */
export const trainingOptions = {
  batchSize: count.default(32).describe("rows in a batch"),
  accumulation: count.default(1).describe("batches added up for one step"),
  optimizer: z.enum(["adamw", "sgd", "lion", "muon"]).default("adamw").describe("the update rule"),
  schedule: z
    .enum(Object.keys(schedules) as [keyof typeof schedules])
    .default("cosine")
    .describe("how the learning rate changes"),
  warmupShare: share.default(0.05).describe("share of the steps over which the learning rate rises"),
  finalShare: share.default(0.05).describe("what the learning rate falls to, as a share of its peak"),
  weightDecay: z.number().min(0).default(0.1).describe("decoupled weight decay of the matrices"),
  beta2: share.default(0.98).describe("adamw: how much of the squared gradient's mean is kept at each step"),
  clip: rate.default(1).describe("the largest norm of the gradient"),
  seed: z.int().min(0).default(1).describe("fixes first weights, order, masks and dropout"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where programs run"),
  threads: count.optional().describe("threads of the engine; one a core if absent"),
  memory: rate
    .optional()
    .describe("native engine: megabytes that a step's values may take; what does not fit is computed twice"),
  resume: z.boolean().default(false).describe("go on with the run in the folder"),
  replace: z.boolean().default(false).describe("throw away the run in the folder"),
};

/** How text is read, learnt from, measured and sampled, whatever the language model starts from. */
export const languageOptions = {
  validation: z.array(z.string()).optional().describe("text to measure on; a share of the data if absent"),
  validationShare: z
    .number()
    .gt(0)
    .lt(0.5)
    .default(0.05)
    .describe("share of the documents set apart to measure on; of joined ones, or of a few, their tail"),
  text: z.string().default("text").describe("column of the text, in tables and JSON lines"),
  documents: z
    .enum(["isolated", "joined"])
    .default("isolated")
    .describe("gpt: each document sees only itself, or all are one long text"),
  maskRate: z.number().gt(0).lt(1).default(0.3).describe("bert: share of the tokens to fill in"),
  spanRate: z.number().gt(0).lt(1).default(0.15).describe("t5: share of the tokens that are cut out, to be written"),
  spanLength: z.number().min(1).default(3).describe("t5: mean number of tokens cut out in a row"),
  wholeWord: z.boolean().default(true).describe("bert: mask words, not pieces of words"),
  steps: count.optional().describe("optimiser steps"),
  epochs: rate.optional().describe("passes over the data, in place of steps"),
  minutes: rate.optional().describe("time to train for on this machine, in place of steps"),
  evaluateEvery: z.int().min(0).optional().describe("steps between evaluations; a tenth of the run if absent"),
  evaluateBatches: count
    .optional()
    .describe("batches of an evaluation, at most; up to 40, as a tenth of the run's time allows, if absent"),
  sampleEvery: z.int().min(0).optional().describe("gpt: steps between samples; a fifth of the run if absent"),
  prompt: z.string().default("").describe("gpt: what samples begin with"),
  saveEvery: z.int().min(0).optional().describe("steps between checkpoints; a tenth of the run if absent"),
  patience: count.optional().describe("stop after so many evaluations without a better loss"),
  floats: z.enum(["f32", "f16"]).default("f32").describe("how the model's weights are stored at the end"),
  examine: z.int().min(0).default(20_000).describe("documents that the doctor looks at before the run; 0: none"),
  allow: z.array(z.string()).default([]).describe("findings of the doctor that are known and accepted, by their code"),
};

/** What `pretrain` takes. */
export const pretrainOptions = z.object({
  data: z
    .array(z.string())
    .min(1)
    .describe("text to learn from: files, folders, globs, wordnet:definitions or wordnet:words"),
  out: z.string().default("runs/pretrain").describe("the run folder to write"),
  family: z
    .enum(["gpt", "llama", "bert", "t5"])
    .default("gpt")
    .describe("gpt and llama write on (causal), bert fills in (masked), t5 writes what was cut out (spans)"),
  preset: z.string().optional().describe("a named size, such as gpt-1m or bert-tiny: see docs/reference/models.md"),
  size: rate.optional().describe("the one dial: parameters wanted, such as 3e6; layers, heads and width follow"),
  contextLength: count.optional().describe("tokens a row may have; 128 if nothing says otherwise"),
  model: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("options of the family by name, over the preset or the dial"),
  tokenizer: z
    .string()
    .optional()
    .describe("bpe, wordpiece, words or characters to train one, or a path; gpt and t5 train bpe, bert wordpiece"),
  vocabSize: count.optional().describe("entries of a tokeniser that is trained here; the preset's, or 8192, if absent"),
  learningRate: rate.optional().describe("peak learning rate; from the width if absent"),
  ...languageOptions,
  ...trainingOptions,
});
export type PretrainOptions = z.input<typeof pretrainOptions>;
export type ResolvedPretrain = z.output<typeof pretrainOptions>;
