/** Going on with a language model on one's own text: scored before and after, merged, held to answer as it was trained. */
import { join } from "node:path";
import { type Adaptation, adapt, hashWeights, merge, methods, requireSame, saveAdapter } from "../adapt/index.js";
import { fail, i32, input, type Nd, nameOf, nd, type Program, params, Scope, size, type Tensor } from "../ir/index.js";
import { makeFolder, parametersOf, replaceFile } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { splitLowRank } from "../passes/index.js";
import { chooseEngine, type Engine, type Session, type State } from "../runtime/index.js";
import type { RunSettings, TrainEvent } from "../train/index.js";
import {
  type AdaptLanguageOptions,
  adaptLanguageOptions,
  type ResolvedAdaptLanguage,
} from "./adapt-language-options.js";
import { type Base, openBase } from "./base.js";
import { openCorpus } from "./corpus.js";
import { examined } from "./examined.js";
import type { Rewrite } from "./language-model.js";
import { jobOf, type LanguageRun, openLanguageRun, requireRoom } from "./language-run.js";
import { optionsOf } from "./options.js";
import { carryOut, type Planned, type RunControl, requireFree, versionsOf } from "./planned.js";
import { saveModel } from "./save-model.js";
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
    throw fail(
      "config",
      `rows of ${o.contextLength} tokens, in a model of ${limit}`,
      `use at most ${limit}`,
      "contextLength",
    );
  const weights = await base.weights(parametersOf(base.family, base.config));
  const corpus = await openCorpus({ ...o, tokenizer: base.path, vocabSize: base.config.vocabSize });
  const open: Disposable[] = [corpus];
  const close = async () => {
    for (const part of open.reverse()) part[Symbol.dispose]();
  };
  try {
    let adaptation!: Adaptation;
    const run = await openLanguageRun(base, corpus, o, (roots) => {
      adaptation = methods[o.method].adaptation(roots, { head: [], rank: o.rank, alpha: o.alpha, select: o.select });
      return rewriter(adaptation);
    });
    open.push(run);
    await requireRoom(run, o);
    const engine = await chooseEngine(o.engine);
    const a: Adapting = { o, base, run, engine, adaptation, weights, baseHash: hashWeights(weights) };
    const state = stateOf(a);
    const steps = await stepsOf(run, o, { engine, state, otherwise: Math.max(100, 3 * run.data.perEpoch) });
    const learningRate = o.learningRate ?? methods[o.method].learningRate.value;
    const before = once(() => scoresBefore(a, state));
    return {
      settings: { ...settings(a, { steps, learningRate }), versions: await versionsOf(engine) },
      job: jobOf(run, o, {
        engine,
        state,
        steps,
        learningRate,
        save: async (session, path) => finish(a, { session, path, before: await before() }),
      }),
      intended: intended(a, { steps, learningRate }),
      async found(note) {
        const warnings = await examined(o, corpus.tokenizer);
        const scores = await before();
        note(
          `before             ${Object.entries(scores)
            .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
            .join("  ")}`,
        );
        return [...warnings, { type: "score", step: 0, scores, best: false, milliseconds: 0 }];
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const rewriter =
  (adaptation: Adaptation): Rewrite =>
  (roots) =>
    splitLowRank(adapt(roots, adaptation));

/** Calls `work` at the first call only. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

/** The base's weights, and first values of what the method and the update rule add. */
function stateOf({ o, run, weights }: Adapting): Map<string, Nd> {
  const leaves = params([run.objective.objective.sum]);
  return new Map([...initialise(leaves, o.seed), ...run.learning.state, ...weights]);
}

/** Scores of the model that the run starts from: the base, since what a method adds changes nothing at first. */
async function scoresBefore({ o, run, engine }: Adapting, state: State): Promise<Scores> {
  const first = new Map([...state].filter(([name]) => !run.learning.state.has(name)));
  await using session = await engine.open(first, o.threads === undefined ? {} : { threads: o.threads });
  return run.evaluate(session);
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
