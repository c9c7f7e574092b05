/** Going on with a language model on one's own text, scored before and after. */
import { type Adaptation, adapt, hashWeights, methods } from "../adapt/index.js";
import { fail, type Nd, params } from "../ir/index.js";
import { parametersOf } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { splitLowRank } from "../passes/index.js";
import { chooseEngine, type State } from "../runtime/index.js";
import type { RunSettings, TrainEvent } from "../train/index.js";
import {
  type AdaptLanguageOptions,
  adaptLanguageOptions,
  type ResolvedAdaptLanguage,
} from "./adapt-language-options.js";
import { type Adapting, finish, type Score, type Scores } from "./adapted-language.js";
import { type Base, openBase } from "./base.js";
import { type Corpus, openCorpus } from "./corpus.js";
import { examined } from "./examined.js";
import { batchesScored, jobOf, openLanguageRun, requireRoom } from "./language-run.js";
import { optionsOf } from "./options.js";
import { carryOut, type Planned, type RunControl, requireFree, versionsOf } from "./planned.js";
import { stepsOf } from "./steps.js";

/**
 * Train an open base further. The folder holds the events, `model/` (merged), `adapter/` for lora, results.json.
 * Throws as data, disk and numbers give; `parity` when the merged model answers differently.
 */
export async function* adaptLanguage(
  given: AdaptLanguageOptions,
  control: RunControl = {},
): AsyncGenerator<TrainEvent> {
  const o = optionsOf(adaptLanguageOptions, given);
  requireFree(o);
  await using plan = await planAdaptLanguage(o);
  yield* carryOut(plan, o, control);
}

/** Everything about such a run, up to its first step. */
export async function planAdaptLanguage(o: ResolvedAdaptLanguage): Promise<Planned> {
  const base = await openBase(o.base);
  const limit = base.config.contextLength;
  if (o.contextLength !== undefined && o.contextLength > limit)
    throw fail("config", `rows of ${o.contextLength} tokens, in a model of ${limit}`, `use at most ${limit}`);
  const corpus = await openCorpus({ ...o, tokenizer: base.path, vocabSize: base.config.vocabSize });
  const open: Disposable[] = [corpus];
  const close = async () => {
    for (const part of open.reverse()) part[Symbol.dispose]();
  };
  try {
    const a = await adapting(o, base, corpus, open);
    return { ...(await planOf(a)), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is opened here is also put into `open`, for the caller to close. */
async function adapting(o: ResolvedAdaptLanguage, base: Base, corpus: Corpus, open: Disposable[]): Promise<Adapting> {
  const weights = await base.weights(parametersOf(base.family, base.config));
  let adaptation!: Adaptation;
  const run = await openLanguageRun(base, corpus, o, (roots) => {
    const { rank, alpha, select } = o;
    adaptation = methods[o.method].adaptation(roots, { head: [], rank, alpha, select });
    return (some) => splitLowRank(adapt(some, adaptation));
  });
  open.push(run);
  return { o, base, run, engine: await chooseEngine(o.engine), adaptation, weights, baseHash: hashWeights(weights) };
}

async function planOf(a: Adapting): Promise<Omit<Planned, keyof AsyncDisposable>> {
  const { o, run, engine } = a;
  await requireRoom(run, o);
  const state = stateOf(a);
  const steps = await stepsOf(run, o, {
    engine,
    state,
    otherwise: Math.max(100, Math.ceil((3 * run.data.perEpoch) / o.accumulation)),
  });
  const learningRate = o.learningRate ?? methods[o.method].learningRate.value;
  const score = run.scorer(batchesScored(o, steps));
  let known: Promise<Scores> | undefined;
  const before = () => {
    known ??= scoresBefore(a, state, score);
    return known;
  };
  return {
    settings: { ...settings(a, { steps, learningRate }), versions: await versionsOf(engine) },
    job: jobOf(run, o, {
      engine,
      state,
      steps,
      learningRate,
      save: async (session, path) => finish(a, { session, path, score, before: await before() }),
    }),
    intended: intended(a, { steps, learningRate }),
    async found(): Promise<TrainEvent[]> {
      const warnings = await examined(o, run.corpus.tokenizer);
      return [...warnings, { type: "score", step: 0, scores: await before(), best: false, milliseconds: 0 }];
    },
  };
}

/** The base's weights, and first values of what the method and the update rule add. */
function stateOf({ o, run, weights }: Adapting): Map<string, Nd> {
  const leaves = params([run.objective.objective.sum]);
  return new Map([...initialise(leaves, o.seed), ...run.learning.state, ...weights]);
}

/** Scores of the model that the run starts from: the base, since what a method adds changes nothing at first. */
async function scoresBefore({ o, run, engine }: Adapting, state: State, score: Score): Promise<Scores> {
  const first = new Map([...state].filter(([name]) => !run.learning.state.has(name)));
  await using session = await engine.open(first, { threads: o.threads });
  return await score(session);
}

/** What run.json says; a run is resumed only with the same. */
function settings(
  { o, base, run: { corpus }, baseHash }: Adapting,
  run: { steps: number; learningRate: number },
): RunSettings {
  const { resume: _, replace: __, out: ___, ...options } = o;
  return {
    config: { kind: "adapt", task: "language-modelling", ...options, family: base.family.name, ...run },
    seeds: { run: o.seed },
    data: { ...corpus.hashes, tokenizer: corpus.tokenizer.hash, base: baseHash },
  };
}

/** The options of a run from what its run.json says, to plan it again. */
export function adaptLanguageOptionsOf(config: Readonly<Record<string, unknown>>, out: string): ResolvedAdaptLanguage {
  const { kind: _, task: __, family: ___, epochs: ____, minutes: _____, ...given } = config;
  return optionsOf(adaptLanguageOptions, { ...given, out } as AdaptLanguageOptions);
}

function intended(
  { o, base, run }: Adapting,
  { steps, learningRate }: { steps: number; learningRate: number },
): string {
  const { value: _, reason } = methods[o.method].learningRate;
  const { documents, tokens } = run.corpus.train.header;
  const why = o.learningRate === undefined ? ` (${reason})` : "";
  return [
    `base               ${base.family.name}, ${o.base}`,
    `method             ${o.method}: ${methods[o.method].summary}`,
    `data               ${documents} documents, ${tokens} tokens; ${run.corpus.validation.header.tokens} tokens to measure on`,
    `run                ${steps} steps, ${(steps / run.data.perEpoch).toFixed(1)} epochs, learning rate up to ${learningRate}${why}`,
  ].join("\n");
}
