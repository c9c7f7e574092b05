/** What a sentence-transformers folder says beside its model: how vectors are pooled and scaled, how long texts may be, what stands before them. */
import { join } from "node:path";
import { z } from "zod";
import { fail, PlinthError } from "../ir/index.js";
import type { ModelFolder } from "./folder.js";
import type { TokenPooling } from "./pool.js";

export interface SentenceModules {
  /** Absent where the folder does not say. */
  readonly pooling?: TokenPooling;
  /** Whether vectors have length 1; absent where the folder does not say. */
  readonly normalise?: boolean;
  /** Tokens that a text may have, special ones included. */
  readonly maxLength?: number;
  /** Texts are lower-cased before they are cut into tokens. */
  readonly lowerCase: boolean;
  /** What is put before a text, by the name of its purpose. */
  readonly prompts: Readonly<Record<string, string>>;
  /** The purpose of a text for which none is named. */
  readonly defaultPrompt?: string;
  /** Whether the tokens of a prompt are pooled with those of the text. */
  readonly poolPrompt: boolean;
  /** The files that say all this, by name. */
  readonly files: Readonly<Record<string, string>>;
}

const modulesSchema = z.array(z.looseObject({ path: z.string(), type: z.string() }));
const poolingSchema = z.looseObject({
  pooling_mode: z.union([z.string(), z.array(z.string())]).optional(),
  include_prompt: z.boolean().default(true),
});
const textSchema = z.looseObject({
  max_seq_length: z.int().positive().nullish(),
  do_lower_case: z.boolean().nullish(),
});
const promptSchema = z.looseObject({
  prompts: z.record(z.string(), z.string()).nullish(),
  default_prompt_name: z.string().nullish(),
});

const poolings: Readonly<Record<string, TokenPooling>> = { cls: "cls", mean: "mean", max: "max", lasttoken: "last" };
/** Older files have a flag for each way. */
const flag = /^pooling_mode_(.+?)(_tokens?)?$/;

/** Read modules.json and the files that it names. Throws `checkpoint` for damaged ones, `config` for a module that plinth does not have. */
export async function sentenceModules(folder: ModelFolder): Promise<SentenceModules> {
  const files: Record<string, string> = {};
  const read = async <T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const text = await folder.text(name);
    if (text === undefined) return undefined;
    files[name] = text;
    return parsed(text, { schema, at: join(folder.path, name) });
  };
  const modules = await read("modules.json", modulesSchema);
  const limits = await read("sentence_bert_config.json", textSchema);
  const said = await read("config_sentence_transformers.json", promptSchema);
  const kinds = (modules ?? []).map(({ type, path }) => ({ kind: type.slice(type.lastIndexOf(".") + 1), path }));
  const unknown = kinds.find(({ kind }) => !["Transformer", "Pooling", "Normalize"].includes(kind));
  if (unknown)
    throw fail(
      "config",
      `modules.json: a module ${unknown.kind} is not one plinth has`,
      "supported: Transformer, Pooling, Normalize",
      folder.path,
    );
  const home = kinds.find(({ kind }) => kind === "Pooling")?.path;
  const config = home === undefined ? undefined : `${home}/config.json`;
  const pooling = config === undefined ? undefined : await read(config, poolingSchema);
  return {
    ...(pooling && { pooling: poolingOf(pooling, join(folder.path, config!)) }),
    ...(modules && { normalise: kinds.some(({ kind }) => kind === "Normalize") }),
    ...(limits?.max_seq_length && { maxLength: limits.max_seq_length }),
    lowerCase: limits?.do_lower_case ?? false,
    prompts: said?.prompts ?? {},
    ...(said?.default_prompt_name && { defaultPrompt: said.default_prompt_name }),
    poolPrompt: pooling?.include_prompt ?? true,
    files,
  };
}

function parsed<T>(text: string, { schema, at }: { schema: z.ZodType<T>; at: string }): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof PlinthError) throw error;
    throw fail("checkpoint", `${at} is damaged: it is not the JSON it should be`, "download or save the model again");
  }
}

function poolingOf({ pooling_mode: named, ...flags }: z.infer<typeof poolingSchema>, at: string): TokenPooling {
  const asked =
    named === undefined
      ? Object.entries(flags).flatMap(([key, on]) => (on === true ? [flag.exec(key)?.[1] ?? []] : []).flat())
      : [named].flat();
  const found = asked.length === 1 ? poolings[asked[0]!] : undefined;
  if (found) return found;
  throw fail(
    "config",
    `pooling by ${asked.join(" and ") || "nothing"} is not supported`,
    `supported: one of ${Object.keys(poolings).join(", ")}`,
    at,
  );
}
