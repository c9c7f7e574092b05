/** A small model folder in the public layout: first weights, and a tokeniser of the texts given. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { trainTokenizer } from "../src/data/index.js";
import { type Nd, nameOf, type Tensor } from "../src/ir/index.js";
import { type AnyFamily, type ModelSizes, parametersOf, writeModelFolder } from "../src/models/index.js";
import { initialise } from "../src/nn/index.js";

export interface TinyModel {
  readonly family: AnyFamily;
  /** Options of the family, apart from the size of the vocabulary. */
  readonly shape: Readonly<Record<string, unknown>>;
  readonly texts: readonly string[];
  /** More files, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Parameters in place of those of the model and its head. */
  readonly parameters?: (config: ModelSizes) => readonly Tensor[];
  readonly floats?: "f32" | "f16" | "bf16";
  readonly shardBytes?: number;
}

/** Write it; returns its config, and its weights by the graph's names. */
export async function writeTiny(
  folder: string,
  { family, shape, texts, files = {}, parameters, ...storing }: TinyModel,
): Promise<{ config: ModelSizes; state: Map<string, Nd> }> {
  const kind = family.objective === "masked" ? "wordpiece" : "bpe";
  const tokenizer = await trainTokenizer(texts, { kind, vocabSize: 400, minFrequency: 1 });
  const config = family.config.parse({ initialDeviation: 0.3, ...shape, vocabSize: tokenizer.vocabSize }) as ModelSizes;
  const state = initialise(parameters?.(config) ?? parametersOf(family, config), 7);
  const stored = new Map([...state].map(([name, value]) => [family.toPublicName(name, config), value]));
  await tokenizer.save(`${folder}.tokenizer`);
  const own = ["tokenizer.json", "tokenizer_config.json"];
  const tokenizerFiles = await Promise.all(own.map((name) => readFile(join(`${folder}.tokenizer`, name), "utf8")));
  await rm(`${folder}.tokenizer`, { recursive: true });
  await writeModelFolder(folder, {
    config: family.toPublic(config),
    types: stored,
    value: (name) => stored.get(name)!,
    files: { ...Object.fromEntries(own.map((name, i) => [name, tokenizerFiles[i]!])), ...files },
    ...storing,
  });
  return { config, state };
}
export const bodyOf = (family: AnyFamily) => (config: ModelSizes) =>
  parametersOf(family, config).filter((t) => !nameOf(t).startsWith("cls."));
