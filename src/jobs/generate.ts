/** Writing on from a prompt with a model folder: one of plinth's own, or any of GPT-2's layout. */
import { z } from "zod";
import { parametersOf } from "../models/index.js";
import { chooseEngine } from "../runtime/index.js";
import { decoderOf } from "../serve/index.js";
import { openBase } from "./base.js";
import { optionsOf } from "./options.js";
import { type Written, write } from "./prompt.js";
import { textsBegin } from "./save-model.js";

/** What `generateText` takes. */
export const generateOptions = z.object({
  model: z.string().describe("a model folder, or a run that finished"),
  prompt: z.string().default("").describe("the text to go on with"),
  tokens: z.int().positive().default(100).describe("the most tokens to add; the model may end earlier"),
  temperature: z.number().min(0).default(0.8).describe("0 takes the likeliest token, 1 draws as the model says"),
  topK: z.int().positive().optional().describe("draw among this many of the likeliest tokens"),
  topP: z.number().gt(0).max(1).optional().describe("draw among the likeliest tokens that reach this probability"),
  seed: z.int().min(0).default(0).describe("fixes what is drawn: the same seed, the same text"),
  engine: z.enum(["auto", "native", "ort", "reference"]).default("auto").describe("where programs run"),
  threads: z.int().positive().optional().describe("threads of the engine; one a core if absent"),
});
export type GenerateTextOptions = z.input<typeof generateOptions>;

/**
 * Pieces of text as they are written, without the prompt; then how it ended. Throws `checkpoint` and `tokenizer` for a folder that
 * is no model, `config` for a family that does not write.
 */
export async function* generateText(
  given: GenerateTextOptions,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<string, Written> {
  const o = optionsOf(generateOptions, given);
  const base = await openBase(o.model);
  const decoder = decoderOf(base.family, base.config);
  const begins = await textsBegin(base.path);
  const engine = await chooseEngine(o.engine);
  await using session = await base.open(engine, parametersOf(base.family, base.config), { threads: o.threads });
  return yield* write(session, decoder, base.tokenizer, { ...o, begins, signal });
}
