/** generation_config.json: how the authors of a model want it to write. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fail } from "../ir/index.js";
import type { GenerateSettings } from "./generate-options.js";

const optional = <T extends z.ZodType>(type: T) => type.nullish();
/** What is known of it; the rest is for other programs. */
const schema = z.object({
  do_sample: optional(z.boolean()),
  temperature: optional(z.number().min(0)),
  top_k: optional(z.int().min(0)),
  top_p: optional(z.number().gt(0).max(1)),
  min_p: optional(z.number().min(0).max(1)),
  repetition_penalty: optional(z.number().positive()),
  no_repeat_ngram_size: optional(z.int().min(0)),
  num_beams: optional(z.int().positive()),
  length_penalty: optional(z.number()),
  early_stopping: optional(z.union([z.boolean(), z.literal("never")])),
  max_new_tokens: optional(z.int().positive()),
  min_new_tokens: optional(z.int().min(0)),
  eos_token_id: optional(z.union([z.int().min(0), z.array(z.int().min(0))])),
  decoder_start_token_id: optional(z.int().min(0)),
});

export interface GenerationConfig {
  /** Those of the options that it sets. */
  readonly options: Partial<GenerateSettings>;
  /** Ids that end a text. */
  readonly stop: readonly number[];
  /** What the text of an encoder–decoder begins with. */
  readonly start?: number | undefined;
}

/** What a model folder says; nothing where it has no such file. Throws `checkpoint` for one that is damaged. */
export async function generationConfig(folder: string): Promise<GenerationConfig> {
  const path = join(folder, "generation_config.json");
  const text = await readFile(path, "utf8").catch(() => "{}");
  const damaged = (what: string) => fail("checkpoint", what, "correct the file, or take it away", path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw damaged("this generation_config.json is not JSON");
  }
  const { data: c, error } = schema.safeParse(json);
  if (!c)
    throw damaged(
      `this generation_config.json is wrong: ${error.issues[0]!.path.join(".")}: ${error.issues[0]!.message}`,
    );
  const options = {
    // the authors' word for greedy
    temperature: c.do_sample === false ? 0 : c.temperature,
    topK: c.top_k || undefined,
    topP: c.top_p,
    minP: c.min_p,
    repetitionPenalty: c.repetition_penalty,
    noRepeatNgram: c.no_repeat_ngram_size || undefined,
    beams: c.num_beams,
    lengthPenalty: c.length_penalty,
    earlyStopping: c.early_stopping,
    tokens: c.max_new_tokens,
    minTokens: c.min_new_tokens,
  };
  const said = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  return {
    options: Object.fromEntries(said) as Partial<GenerateSettings>,
    stop: [c.eos_token_id ?? []].flat(),
    start: c.decoder_start_token_id ?? undefined,
  };
}
