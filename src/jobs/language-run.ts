/** Training a language model, whatever it starts from: the parts that pre-training and adapting share. */
import { freemem } from "node:os";
import type { CorpusBatches } from "../data/index.js";
import { bytesOf, fail, nameOf, params, size, type Tensor, type Type } from "../ir/index.js";
import { type Training, training } from "../optim/index.js";
import { flops } from "../passes/index.js";
import type { Engine, Session, State } from "../runtime/index.js";
import { decoderOf } from "../serve/index.js";
import type { LanguageModelling } from "../tasks/index.js";
import { type Job, preflight, requireFits } from "../train/index.js";
import type { Corpus } from "./corpus.js";
import { batchesOf, dropsOut, heldOut, type Model, objectiveOf, type Rewrite, scorer } from "./language-model.js";
import { ratesOf, ruleOf } from "./optimizing.js";
import type { ResolvedPretrain } from "./pretrain-options.js";
import { write } from "./prompt.js";

/** What any training of a language model is told. */
export type LanguageOptions = Omit<
  ResolvedPretrain,
  "family" | "preset" | "size" | "model" | "tokenizer" | "vocabSize" | "learningRate"
>;

export interface LanguageRun extends Disposable {
  readonly model: Model;
  readonly corpus: Corpus;
  /** Batches to learn from; batches to measure on, in order. */
  readonly data: CorpusBatches;
  readonly held: CorpusBatches;
  /** The parameters of the model as it is saved. */
  readonly weights: readonly Tensor[];
  /** What is trained and measured: the model, adapted. */
  readonly rewrite: Rewrite;
  readonly objective: LanguageModelling;
  readonly learning: Training;
  /** Scores of the adapted model on so many batches: loss, perplexity, accuracy, and bits per byte of a causal one. */
  scorer(most: number): (session: Session) => Promise<Record<string, number>>;
}

/** Build the programs and open the batches. `adaptation` gives the rewrite for the roots that are trained. */
export async function openLanguageRun(
  model: Model,
  corpus: Corpus,
  o: LanguageOptions,
  adaptation: (roots: readonly Tensor[]) => Rewrite = () => (roots) => roots,
): Promise<LanguageRun> {
  const { tokenizer } = corpus;
  const data = await batchesOf(model, corpus.train, tokenizer, { ...o, shuffle: true });
  const open = [data];
  const close = () => {
    for (const batches of open) batches.close();
  };
  try {
    const { tokens, bytes } = corpus.validation.header;
    const held = await heldOut(model, corpus.validation, tokenizer, o);
    open.push(held);
    const plain = await objectiveOf(model, data, { training: dropsOut(model) });
    const weights = params([plain.objective.sum]);
    requireWeights(weights);
    const rewrite = adaptation([plain.objective.sum]);
    const objective = await objectiveOf(model, data, { training: dropsOut(model), rewrite });
    const measured = await objectiveOf(model, held, { training: false, rewrite });
    const learning = training(objective.objective, ruleOf(o), { clip: o.clip, decays: model.family.decays });
    const bytesPerToken = model.family.objective === "causal" ? bytes / tokens : undefined;
    return {
      model,
      corpus,
      data,
      held,
      weights,
      rewrite,
      objective,
      learning,
      scorer: (most) => scorer(measured, held, { most, bytesPerToken }),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Throws `memory` when the weights alone do not fit: looked at first, since what the optimiser remembers is made next. */
function requireWeights(weights: readonly Tensor[]): void {
  // a copy of ours and one of the session's
  const needed = 2 * weights.reduce((sum, { shape, dtype }) => sum + size(shape) * bytesOf[dtype], 0);
  const available = process.availableMemory?.() ?? freemem();
  if (needed <= available) return;
  const [wanted, there] = [needed, available].map((n) => `${(n / 1e9).toFixed(1)} GB`);
  throw fail(
    "memory",
    `the model's weights would need ${wanted} of memory, ${there} are available`,
    "use a smaller model",
  );
}

/** Throws `memory` or `disk` when the run is predicted not to fit, before any weight is made. */
export async function requireRoom({ learning }: LanguageRun, o: LanguageOptions): Promise<void> {
  const { trainable, accumulators, step } = learning;
  const added = [...learning.state, ...(o.accumulation > 1 ? accumulators : [])];
  const types = new Map<string, Type>([
    ...params([...Object.values(step.outputs)]).map((t) => [nameOf(t), t.type] as const),
    ...added.map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const),
  ]);
  const changes = new Set([...trainable.map(nameOf), ...learning.state.keys(), ...accumulators.keys()]);
  const changing = new Map([...types].filter(([name]) => changes.has(name)));
  const { accumulation, out: folder } = o;
  requireFits(
    await preflight({ training: learning, accumulation, state: types, changing, keep: 2, best: true, folder }),
  );
}

export interface LanguageStart {
  readonly engine: Engine;
  readonly state: State;
  readonly steps: number;
  readonly learningRate: number;
  readonly save: NonNullable<Job["save"]>;
}

/** The training job of a run. */
export function jobOf(run: LanguageRun, o: LanguageOptions, start: LanguageStart): Omit<Job, "folder"> {
  const { model, learning, data } = run;
  const { steps, learningRate, ...rest } = start;
  return {
    ...rest,
    steps,
    ...(o.threads !== undefined && { threads: o.threads }),
    ...(o.memory !== undefined && { memory: o.memory * 1e6 }),
    training: learning,
    batches: data,
    schedule: ratesOf(o, learningRate, steps),
    accumulation: o.accumulation,
    seed: o.seed,
    evaluate: run.scorer(batchesScored(o, steps)),
    ...(model.family.objective === "causal" && { sample: sampler(run, o) }),
    every: {
      evaluate: o.evaluateEvery ?? Math.ceil(steps / 10),
      sample: o.sampleEvery ?? Math.ceil(steps / 5),
      save: o.saveEvery ?? Math.ceil(steps / 10),
    },
    best: { metric: "loss", goal: "min" },
    ...(o.patience !== undefined && { early: { metric: "loss", goal: "min", patience: o.patience } }),
    flopsPerStep: flops(learning.step) * o.accumulation,
  };
}

/** Batches of an evaluation: ten evaluations, forward only, of a tenth of the run's time, unless told otherwise. */
export const batchesScored = ({ evaluateBatches, accumulation }: LanguageOptions, steps: number): number =>
  evaluateBatches ?? Math.min(40, Math.max(4, Math.round(0.03 * steps * accumulation)));

/** Text that the model goes on from the prompt: the same random numbers at each step, so that samples compare. */
function sampler({ model, corpus, rewrite }: LanguageRun, o: LanguageOptions): (session: Session) => Promise<string> {
  const decoder = decoderOf(model.family, model.config, rewrite);
  const begins = o.documents === "isolated";
  const how = { prompt: o.prompt, begins, tokens: 40, temperature: 0.8, topK: 40, seed: o.seed };
  return async (session) => {
    let written = o.prompt;
    for await (const piece of write(session, decoder, corpus.tokenizer, how)) written += piece;
    return written.trim();
  };
}
