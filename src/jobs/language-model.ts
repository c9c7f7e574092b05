/** A language model as a run trains and measures it: family, config, programs, batches. */
import {
  type Batches,
  type CorpusBatches,
  causalBatches,
  maskedBatches,
  spanBatches,
  type Tokenizer,
  type Tokens,
} from "../data/index.js";
import { fail, inputs, nameOf, type Program, Scope, type Tensor } from "../ir/index.js";
import { type AnyFamily, families, type ModelSizes, presetNamed } from "../models/index.js";
import type { Session } from "../runtime/index.js";
import { type LanguageModelling, languageModelling } from "../tasks/index.js";
import type { ResolvedPretrain } from "./pretrain-options.js";

export interface Model {
  readonly family: AnyFamily;
  readonly config: ModelSizes & Readonly<Record<string, unknown>>;
}

/**
 * The model that options describe: a preset, or the dial, or the family's smallest shape; then what is set by name.
 * `vocabSize` is the tokeniser's. Throws `config`, and `tokenizer` when the embedding was set to fewer rows.
 */
export function modelOf(
  o: Pick<ResolvedPretrain, "family" | "preset" | "size" | "contextLength" | "model">,
  vocabSize: number,
): Model {
  const preset = o.preset === undefined ? undefined : presetNamed(o.preset);
  const family = chosenFamily(o);
  const contextLength = o.contextLength ?? preset?.config.contextLength ?? 128;
  const base = preset?.config ?? family.derive({ size: o.size ?? 3e6, vocabSize, contextLength });
  const parsed = family.config.safeParse({ ...base, vocabSize, contextLength, ...o.model });
  if (parsed.success) return fitting({ family, config: parsed.data }, vocabSize);
  const issue = parsed.error.issues[0]!;
  throw fail(
    "config",
    `the model: ${issue.message}`,
    "see docs/reference/models.md",
    ["model", ...issue.path].join("."),
  );
}

/** The family of the preset, else the one that is named. */
export const chosenFamily = (o: Pick<ResolvedPretrain, "family" | "preset">): AnyFamily =>
  o.preset === undefined ? families[o.family] : presetNamed(o.preset).family;

/** Entries of a vocabulary that is made for a model. */
export const vocabSizeOf = (o: {
  readonly preset?: string | undefined;
  readonly vocabSize?: number | undefined;
}): number => o.vocabSize ?? (o.preset === undefined ? 8192 : presetNamed(o.preset).config.vocabSize);

function fitting(model: Model, vocabSize: number): Model {
  if (vocabSize <= model.config.vocabSize) return model;
  throw fail(
    "tokenizer",
    `the tokeniser has ${vocabSize} entries, the model's embedding ${model.config.vocabSize} rows`,
    "leave the model's vocabSize out, or use a smaller tokeniser",
    "model.vocabSize",
  );
}

/** How a corpus becomes batches. */
export type BatchOptions = Pick<
  ResolvedPretrain,
  "batchSize" | "contextLength" | "seed" | "documents" | "maskRate" | "wholeWord" | "spanRate" | "spanLength"
>;

/** Batches of a corpus in the family's own objective; `shuffle` false reads it once in order, for evaluation. */
export function batchesOf(
  { family, config }: Model,
  tokens: Tokens,
  tokenizer: Tokenizer,
  o: BatchOptions & { readonly shuffle: boolean },
): Promise<CorpusBatches> {
  const { batchSize, seed, shuffle } = o;
  const contextLength = Math.min(o.contextLength ?? config.contextLength, config.contextLength);
  const common = { tokenizer, contextLength, batchSize, seed, shuffle };
  if (family.objective === "causal") return causalBatches(tokens, { ...common, documents: o.documents });
  if (family.objective === "masked")
    return maskedBatches(tokens, { ...common, rate: o.maskRate, wholeWord: o.wholeWord, places: "expected" });
  requireEnds(config, tokenizer);
  return spanBatches(tokens, { ...common, rate: o.spanRate, spanLength: o.spanLength });
}

/** Throws `tokenizer` when a decoder's first and last token are others to the model than to its tokeniser. */
function requireEnds(config: Model["config"], { special }: Tokenizer): void {
  const [start, end] = [special.pad, special.eos];
  if (start === undefined || end === undefined || (start === config["start"] && end === config["end"])) return;
  throw fail(
    "tokenizer",
    `the tokeniser pads with id ${start} and ends with ${end}, the model starts with ${config["start"]} and ends with ${config["end"]}`,
    `set the model's start to ${start} and its end to ${end}`,
  );
}

/** Batches to measure on, in order; text shorter than one context is read in shorter rows. */
export function heldOut(model: Model, tokens: Tokens, tokenizer: Tokenizer, o: BatchOptions): Promise<CorpusBatches> {
  const { tokens: count, documents } = tokens.header;
  const longest = Math.max(8, model.family.objective === "causal" ? count - 1 : count + 2 * documents);
  const contextLength = Math.min(o.contextLength ?? longest, longest);
  return batchesOf(model, tokens, tokenizer, { ...o, contextLength, shuffle: false });
}

/** The objective of batches like this one; `rewrite` may change its graph, as an adaptation does. */
export async function objectiveOf(
  { family, config }: Model,
  batches: Batches,
  { training, rewrite = (roots) => roots }: { training: boolean; rewrite?: Rewrite },
): Promise<LanguageModelling> {
  const { feeds } = await batches.at(0);
  const [batch, length] = feeds["ids"]!.shape as [number, number];
  const [places, targetLength] = [feeds["places"]?.shape[0], feeds["decoderIds"]?.shape[1]];
  const sizes = {
    batch,
    length,
    training,
    ...(places !== undefined && { places }),
    ...(targetLength !== undefined && { targetLength }),
  };
  const lm = languageModelling(family, config, { p: new Scope(), ...sizes });
  const names = Object.keys(lm.outputs);
  const [sum, count, ...outputs] = rewrite([lm.objective.sum, lm.objective.count, ...Object.values(lm.outputs)]);
  return {
    inputs: lm.inputs,
    objective: { sum: sum!, count: count! },
    outputs: Object.fromEntries(names.map((name, i) => [name, outputs[i]!])),
  };
}

/** What is made of a graph's roots. */
export type Rewrite = (roots: readonly Tensor[]) => readonly Tensor[];

/** Whether training draws random numbers. */
export const dropsOut = ({ config }: Model): boolean =>
  Number(config["dropout"] ?? 0) > 0 || Number(config["attentionDropout"] ?? 0) > 0;

/** Scores over batches, in order: sums and counts, so that the batch size does not matter. Throws `labels` when nothing is scored. */
export function scorer(
  lm: LanguageModelling,
  batches: Batches,
  { most, bytesPerToken }: { most: number; bytesPerToken?: number | undefined },
): (session: Session) => Promise<Record<string, number>> {
  const { sum, count } = lm.objective;
  const program: Program = { outputs: { sum, count, ...lm.outputs }, next: {} };
  const names = inputs(program).map(nameOf);
  return async (session) => {
    let [nats, tokens, correct] = [0, 0, 0];
    for (let i = 0; i < Math.min(most, batches.perEpoch); i++) {
      const { feeds } = await batches.at(i);
      const out = await session.run(program, Object.fromEntries(names.map((name) => [name, feeds[name]!])));
      nats += Number(out["sum"]!.data[0]);
      tokens += Number(out["count"]!.data[0]);
      correct += Number(out["correct"]!.data[0]);
    }
    if (tokens === 0) throw fail("labels", "no token of the held-out text was scored", "give more text");
    const loss = nats / tokens;
    const bits = bytesPerToken && { bitsPerByte: loss / Math.LN2 / bytesPerToken };
    return { loss, perplexity: Math.exp(loss), accuracy: correct / tokens, ...bits };
  };
}
