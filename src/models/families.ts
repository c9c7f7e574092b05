/** The model families, by name. */
import { fail, nearest } from "../ir/index.js";
import { bart } from "./bart.js";
import { bert } from "./bert.js";
import type { Family, ModelSizes, PublicConfig } from "./family.js";
import { gpt } from "./gpt.js";
import { llama } from "./llama.js";
import { t5 } from "./t5.js";

// biome-ignore lint/suspicious/noExplicitAny: each family has a config of its own
export type AnyFamily = Family<any>;
export const families = { gpt, llama, bert, t5, bart } satisfies Record<string, AnyFamily>;

/** The model_types of public files that some family reads. */
const modelTypes = [
  ...["gpt2", "llama", "mistral", "qwen2", "qwen3", "smollm3"],
  ...["bert", "roberta", "xlm-roberta", "distilbert"],
  ...["t5", "mt5", "bart"],
];

/** The family a public config.json belongs to. Throws `config` when there is none. */
export function familyOf(json: PublicConfig): AnyFamily {
  const found = Object.values<AnyFamily>(families).find((family) => family.recognises(json));
  if (found) return found;
  const type = JSON.stringify(json["model_type"] ?? null);
  throw fail(
    "config",
    `config.json: model_type ${type} is not one plinth has`,
    `${guess(String(json["model_type"]), modelTypes)}supported: ${modelTypes.join(", ")}`,
  );
}

const guess = (name: string, known: readonly string[]): string => {
  const near = nearest(name, known);
  return near ? `did you mean ${near}? ` : "";
};

/** A preset of any family by its name: `bert-tiny`. Throws `config` and lists them. */
export function presetNamed(name: string): { readonly family: AnyFamily; readonly config: ModelSizes } {
  for (const family of Object.values<AnyFamily>(families))
    if (Object.hasOwn(family.presets, name)) return { family, config: family.presets[name] as ModelSizes };
  const known = Object.values<AnyFamily>(families).flatMap((family) => Object.keys(family.presets));
  throw fail(
    "config",
    `there is no preset ${JSON.stringify(name)}`,
    `${guess(name, known)}one of: ${known.join(", ")}`,
  );
}
