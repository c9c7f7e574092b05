/** Options of writing texts. */
import { z } from "zod";
import { optionsOf } from "./options.js";

const share = z.number().gt(0).max(1);

/** What `generateText` and `generateTexts` take. Where one is absent, generation_config.json of the model's folder speaks, if it does. */
export const generateOptions = z.object({
  model: z.string().describe("a model folder, or a run that finished"),
  prompt: z.array(z.string()).default([]).describe("texts to go on with; to write from, for a model with an encoder"),
  data: z.array(z.string()).default([]).describe("files of prompts: one a row; a plain text is one"),
  text: z.string().default("text").describe("column of the prompt in tables and JSON lines"),
  chat: z.boolean().default(false).describe("put each prompt as a question, by the model's chat template"),
  system: z.string().optional().describe("what the model is told before the question; goes with --chat"),
  tokens: z.int().positive().optional().describe("the most tokens to add; 100 if absent"),
  minTokens: z.int().min(0).optional().describe("the model does not end the text before it has so many tokens"),
  temperature: z
    .number()
    .min(0)
    .optional()
    .describe("0 takes the likeliest token, 1 draws as the model says; 0.8 if absent"),
  topK: z.int().positive().optional().describe("draw among this many of the likeliest tokens"),
  topP: share.optional().describe("draw among the likeliest tokens that reach this probability"),
  minP: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("draw among tokens at least this share as likely as the likeliest"),
  repetitionPenalty: z
    .number()
    .positive()
    .optional()
    .describe("above 1: what is in prompt or text becomes less likely"),
  presencePenalty: z.number().optional().describe("taken from the scores of tokens that the text has"),
  frequencyPenalty: z.number().optional().describe("the same, for each time that the text has them"),
  noRepeatNgram: z.int().positive().optional().describe("no so many tokens in a row come twice"),
  logitBias: z
    .record(z.string(), z.number())
    .optional()
    .describe("added to the scores of tokens, by id or as they are written in the vocabulary"),
  stop: z.array(z.string()).default([]).describe("texts that end the text; nothing of them is given out"),
  beams: z.int().positive().optional().describe("search for the likeliest text with so many beams, without drawing"),
  lengthPenalty: z.number().optional().describe("beams: above 0 favours long texts, below 0 short ones; 1 if absent"),
  earlyStopping: z
    .union([z.boolean(), z.literal("never")])
    .optional()
    .describe("beams: stop at as many finished texts as beams; never: when none could be better"),
  jsonSchema: z
    .union([z.string(), z.record(z.string(), z.unknown())])
    .optional()
    .describe("the text is JSON of this schema: a file, or the schema itself"),
  regex: z.string().optional().describe("the text matches this regular expression as a whole"),
  seed: z.int().min(0).default(0).describe("fixes what is drawn: the same seed, the same text"),
  batchSize: z.int().positive().default(8).describe("texts written side by side"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where programs run"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
});
export type GenerateSettings = z.output<typeof generateOptions>;

/** The same as programs give them: one prompt needs no list. */
export type GenerateTextOptions = Omit<z.input<typeof generateOptions>, "prompt"> & {
  readonly prompt?: string | readonly string[] | undefined;
};

/** Options with their defaults. Throws `config` as `optionsOf`. */
export const generateSettings = ({ prompt, ...given }: GenerateTextOptions): GenerateSettings =>
  optionsOf(generateOptions, { ...given, ...(prompt !== undefined && { prompt: [prompt].flat() }) });
