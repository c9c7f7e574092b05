/** A language model as a run trains and measures it: family, config, programs, batches. */
import { causalBatches, type Batches, maskedBatches, type Tokenizer, type Tokens } from "../data/index.js";
import { fail, type Program, Scope } from "../ir/index.js";
import { type AnyFamily, families, type ModelSizes, presetNamed } from "../models/index.js";
import type { Session } from "../runtime/index.js";
import { type LanguageModelling, languageModelling } from "../tasks/index.js";
import type { ResolvedPretrain } from "./pretrain-options.js";

export interface Model {
  readonly family: AnyFamily;
  readonly config: ModelSizes & Readonly<Record<string, unknown>>;
}

/** The model that options describe: a preset, or the dial, or the family's smallest shape; then what is set by name. */
export function modelOf(o: ResolvedPretrain, vocabSize: number): Model {
  const preset = o.preset === undefined ? undefined : presetNamed(o.preset);
  const family: AnyFamily = preset?.family ?? families[o.family];
  const contextLength = o.contextLength ?? preset?.config.contextLength ?? 128;
  const base = preset?.config ?? family.derive({ size: o.size ?? 3e6, vocabSize, contextLength });
  const parsed = family.config.safeParse({ ...base, vocabSize, contextLength, ...o.model });
  if (parsed.success) return { family, config: parsed.data };
  const issue = parsed.error.issues[0]!;
  throw fail(
    "config",
    `the model: ${issue.message}`,
    "see docs/reference/models.md",
    ["model", ...issue.path].join("."),
  );
}

/** Batches of a corpus in the family's own objective; `shuffle` false reads it once in order, for evaluation. */
export function batchesOf(
  { family, config }: Model,
  tokens: Tokens,
  tokenizer: Tokenizer,
  o: ResolvedPretrain,
  shuffle: boolean,
): Promise<Batches & { close(): void }> {
  const common = { tokenizer, contextLength: config.contextLength, batchSize: o.batchSize, seed: o.seed, shuffle };
  return family.objective === "causal"
    ? causalBatches(tokens, { ...common, documents: o.documents })
    : maskedBatches(tokens, { ...common, rate: o.maskRate, wholeWord: o.wholeWord, places: "expected" });
}

/** The objective of batches like this one. */
export async function objectiveOf(
  { family, config }: Model,
  batches: Batches,
  training: boolean,
): Promise<LanguageModelling> {
  const { feeds } = await batches.at(0);
  const [batch, length] = feeds["ids"]!.shape as [number, number];
  const places = feeds["places"]?.shape[0];
  return languageModelling(family, config, {
    p: new Scope(),
    batch,
    length,
    training,
    ...(places !== undefined && { places }),
  });
}

/** Scores over batches, in order: sums and counts, so that the batch size does not matter. */
export function scorer(
  lm: LanguageModelling,
  batches: Batches,
  { most, bytesPerToken }: { most: number; bytesPerToken?: number | undefined },
): (session: Session) => Promise<Record<string, number>> {
  const { sum, count } = lm.objective;
  const program: Program = { outputs: { sum, count, ...lm.outputs }, next: {} };
  return async (session) => {
    let [nats, tokens, correct] = [0, 0, 0];
    for (let i = 0; i < Math.min(most, batches.perEpoch); i++) {
      const out = await session.run(program, (await batches.at(i)).feeds);
      nats += Number(out["sum"]!.data[0]);
      tokens += Number(out["count"]!.data[0]);
      correct += Number(out["correct"]!.data[0]);
    }
    const loss = nats / tokens;
    const bits = bytesPerToken && { bitsPerByte: loss / Math.LN2 / bytesPerToken };
    return { loss, perplexity: Math.exp(loss), accuracy: correct / tokens, ...bits };
  };
}
