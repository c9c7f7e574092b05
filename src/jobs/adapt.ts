/** Adapting a pre-trained model to classify texts: every step, score and weight of it in the run folder. */
import { methods } from "../adapt/index.js";
import type { TrainEvent } from "../train/index.js";
import { type AdaptOptions, adaptOptions, type ResolvedAdapt } from "./adapt-options.js";
import { finishAdapt } from "./adapted.js";
import { type Classifying, classifying, held, rateFor, stepsFor, subset } from "./classify.js";
import { jobOfFit } from "./fit.js";
import { optionsOf } from "./options.js";
import { carryOut, type Planned, type RunControl, requireFree } from "./planned.js";

/** Adapt a model. The folder holds the events, `model/` with the head, `adapter/` where the method keeps one, results.json. */
export async function* adapt(given: AdaptOptions, run: RunControl = {}): AsyncGenerator<TrainEvent> {
  const o = optionsOf(adaptOptions, given);
  requireFree(o);
  await using plan = await planAdapt(o);
  yield* carryOut(plan, o, run);
}

/** Everything about an adaptation, up to its first step. */
export async function planAdapt(o: ResolvedAdapt): Promise<Planned> {
  const c = await classifying(o);
  try {
    const train = subset(c.labelled.train, o.examples, o.seed);
    const run = { examples: train.length, steps: stepsFor(o, train.length), learningRate: rateFor(o) };
    const { session, engine } = c.shared;
    const ordered = { seed: 0, shuffle: false, session };
    const test = await c.approach.batches(c.labelled.test, ordered);
    const job = jobOfFit({
      ...run,
      approach: c.approach,
      options: o,
      engine,
      state: c.state("adapted", o.seed),
      batches: await c.approach.batches(train, { seed: o.seed, shuffle: true, session }),
      held: await c.approach.batches(held(c.labelled.validation, o.evaluateExamples), ordered),
      seed: o.seed,
      save: (trained, path) => finishAdapt(o, c, { session: trained, path, test, examples: train.length }),
    });
    return {
      job,
      settings: settings(o, c, run),
      intended: intended(o, c, run),
      found: async () => c.labelled.findings,
      [Symbol.asyncDispose]: () => c[Symbol.asyncDispose](),
    };
  } catch (error) {
    await c[Symbol.asyncDispose]();
    throw error;
  }
}

/** The options of a run from its run.json. */
export function adaptOptionsOf(config: Readonly<Record<string, unknown>>, out: string): ResolvedAdapt {
  const known = Object.keys(adaptOptions.shape);
  const kept = Object.entries(config).filter(([name]) => known.includes(name));
  return optionsOf(adaptOptions, { ...(Object.fromEntries(kept) as AdaptOptions), out });
}

interface RunShape {
  readonly examples: number;
  readonly steps: number;
  readonly learningRate: number;
}

/** What run.json says; a run is resumed only with the same. Where its folder lies does not matter. */
function settings(
  { resume: _, replace: __, out: ___, ...o }: ResolvedAdapt,
  c: Classifying,
  run: RunShape,
): Planned["settings"] {
  const { labels, hashes } = c.labelled;
  const config = { kind: "adapt", task: "text-classification", ...o, ...run, family: c.base.family.name, labels };
  return { config, seeds: { run: o.seed }, data: { ...hashes, base: c.baseHash }, versions: c.versions };
}

function intended(o: ResolvedAdapt, c: Classifying, run: RunShape): string {
  const { validation, test, labels } = c.labelled;
  const method = methods[o.method];
  const reason = o.learningRate === undefined ? ` (${method.learningRate.reason})` : "";
  return [
    `base               ${c.base.family.name}, ${o.base}`,
    `examples           ${run.examples} to learn from, ${validation.length} to choose by, ${test.length} to test; ${labels.length} labels`,
    `method             ${o.method}: ${method.summary}`,
    `run                ${run.steps} steps, learning rate up to ${run.learningRate}${reason}`,
  ].join("\n");
}
