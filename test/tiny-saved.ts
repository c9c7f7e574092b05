/** Model folders of a few thousand random weights, with a tokeniser, as a run of plinth leaves them. */
import { trainTokenizer } from "../src/data/index.js";
import { params, Scope } from "../src/ir/index.js";
import { saveModel } from "../src/jobs/save-model.js";
import { families, type Pooling, parametersOf } from "../src/models/index.js";
import { initialise } from "../src/nn/index.js";
import { textClassification } from "../src/tasks/index.js";

export const sentences = [
  "the large cat sat on the old mat and slept",
  "a small bird sings in the tree behind the house",
  "bread and cheese are on the table",
  "rain fell all night, and the river rose",
];
const corpus = [...sentences, ...sentences, ...sentences];

export interface TinyOptions {
  readonly family: keyof typeof families;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly labels?: readonly string[];
  readonly pooling?: Pooling;
  readonly begins?: boolean;
  /** What is done to the first weights. */
  readonly change?: (name: string, values: Float32Array) => void;
}

/** Large first weights, so that answers differ from token to token. */
export async function writeTiny(folder: string, o: TinyOptions): Promise<void> {
  const { labels, pooling = "mean", begins } = o;
  const family = families[o.family];
  const tokenizer = await trainTokenizer(corpus, {
    kind: family.objective === "masked" ? "wordpiece" : "bpe",
    vocabSize: 400,
    ...(family.objective === "seq2seq" && { sentinels: 4 }),
  });
  const config = family.config.parse({
    ...{
      vocabSize: tokenizer.vocabSize,
      contextLength: 48,
      layers: 2,
      heads: 4,
      hiddenSize: 32,
      initialDeviation: 0.3,
    },
    ...o.config,
  });
  const sizes = { p: new Scope(), batch: 1, length: 4, classes: labels?.length ?? 2, pooling };
  const parameters = labels
    ? params([textClassification(family as never, config as never, sizes).outputs.logits])
    : parametersOf(family as never, config as never);
  const state = initialise(parameters, 3);
  for (const [name, { data }] of state) o.change?.(name, data as Float32Array);
  await saveModel({ read: async (name) => state.get(name)! }, folder, {
    ...{ family, config, tokenizer, parameters, card: "# Tiny\n" },
    ...(begins && { begins }),
    ...(labels && { labels, plinth: { task: "text-classification", pooling, contextLength: 48 } }),
  } as never);
}
