/** Learning from pairs of texts: vectors that lie together, or to write the second from the first; scored before and after. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { hashWeights } from "../adapt/index.js";
import {
  type Batches,
  column,
  encodePairs,
  hashText,
  normalise,
  type OverflowReport,
  type Pair,
  type Row,
  rows,
} from "../data/index.js";
import { fail, params, type Tensor } from "../ir/index.js";
import { replaceFile } from "../models/index.js";
import { training } from "../optim/index.js";
import { chooseEngine, type Engine, type Session, type State } from "../runtime/index.js";
import type { Job, RunSettings, TrainEvent } from "../train/index.js";
import { type AdaptPairsOptions, adaptPairsOptions, type ResolvedAdaptPairs } from "./adapt-pairs-options.js";
import { type Base, openBase } from "./base.js";
import { ratesOf, ruleOf } from "./optimizing.js";
import { optionsOf } from "./options.js";
import { type PairedTask, pairedTasks, pairObjective, pairScorer, perShape } from "./paired.js";
import { carryOut, type Planned, type RunControl, requireFree, versionsOf } from "./planned.js";
import { saveModel } from "./save-model.js";

type Scores = Readonly<Record<string, number>>;

/** What such a run ends with: results.json in its folder. */
export interface AdaptPairsResult {
  readonly task: ResolvedAdaptPairs["task"];
  /** On held-out pairs. */
  readonly before: Scores;
  readonly after: Scores;
  readonly pairs: Readonly<Record<"train" | "validation", number>>;
}

/** Train an open base on pairs of texts. The folder holds the events, `model/` and results.json. Throws as data, disk and numbers give. */
export async function* adaptPairs(given: AdaptPairsOptions, control: RunControl = {}): AsyncGenerator<TrainEvent> {
  const o = optionsOf(adaptPairsOptions, given);
  requireFree(o);
  await using plan = await planAdaptPairs(o);
  yield* carryOut(plan, o, control);
}

/** Everything about such a run, up to its first step. */
export async function planAdaptPairs(o: ResolvedAdaptPairs): Promise<Planned> {
  const base = await openBase(o.base);
  const sides = await readSides(base, o);
  const run = await opened(base, sides, o);
  const before = once(() => scoreFirst(run, o));
  return {
    settings: await settings(run, o),
    job: jobOf(run, o, { save: async (session, path) => finish(run, o, { session, path, before: await before() }) }),
    intended: intended(run, o),
    async found() {
      return [...sides.warnings, { type: "score", step: 0, scores: await before(), best: false, milliseconds: 0 }];
    },
    async [Symbol.asyncDispose]() {},
  };
}

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

interface Sides {
  readonly train: readonly Pair[];
  readonly validation: readonly Pair[];
  readonly warnings: readonly TrainEvent[];
}

/** Read and encode both sides; equal first texts fall on one. Throws `config` for a context longer than the base's, `data` when a side is empty. */
async function readSides(base: Base, o: ResolvedAdaptPairs): Promise<Sides> {
  const limit = base.config.contextLength;
  if ((o.contextLength ?? 0) > limit)
    throw fail("config", `texts of ${o.contextLength} tokens, in a model of ${limit}`, `use at most ${limit}`);
  const [first, second] = pairedTasks[o.task].columns;
  const columns = [o.first ?? first, o.second ?? second] as const;
  const sides: Record<"train" | "validation", Row[]> = { train: [], validation: [] };
  for await (const row of rows(o.data)) {
    const drawn = hashText(normalise(String(column(row, columns[0])))) / 2 ** 32 < o.heldOutShare;
    sides[drawn && !o.validation ? "validation" : "train"].push(row);
  }
  if (o.validation) for await (const row of rows(o.validation)) sides.validation.push(row);
  const how = { tokenizer: base.tokenizer, contextLength: o.contextLength ?? limit, columns, overflow: o.overflow };
  for (const side of ["train", "validation"] as const)
    if (!sides[side].length)
      throw fail("data", `no pairs are left for ${side}`, "give more pairs, or name --validation");
  const [train, validation] = [await encodePairs(sides.train, how), await encodePairs(sides.validation, how)];
  return {
    train: train.pairs,
    validation: validation.pairs.slice(0, o.evaluateExamples),
    warnings: [...cut("train", train.overflow), ...cut("validation", validation.overflow)],
  };
}

const cut = (side: string, { examples, lostTokens, ids }: OverflowReport): TrainEvent[] =>
  examples
    ? [
        {
          type: "warning",
          step: 0,
          message: `${side}: ${examples} texts too long, ${lostTokens} tokens lost (such as ${ids.join(", ")})`,
        },
      ]
    : [];

interface Run {
  readonly base: Base;
  readonly sides: Sides;
  readonly engine: Engine;
  readonly batches: Batches;
  readonly weights: readonly Tensor[];
  readonly state: State;
  readonly steps: number;
  readonly score: (session: Session) => Promise<Scores>;
}

async function opened(base: Base, sides: Sides, o: ResolvedAdaptPairs): Promise<Run> {
  const { tokenizer, config } = base;
  const task: PairedTask = pairedTasks[o.task];
  const pad = Number(config["start"] ?? tokenizer.special.pad ?? 0);
  const how = { batchSize: o.batchSize, seed: o.seed, pad, contextLength: o.contextLength ?? config.contextLength };
  const batches = task.batches(sides.train, how);
  const held = task.batches(sides.validation, { ...how, shuffle: false });
  const weights = params([pairObjective(base, await batches.at(0), o).sum]);
  const state = await base.weights(weights);
  const steps = o.steps ?? Math.max(1, Math.ceil((o.epochs * batches.perEpoch) / o.accumulation));
  const score = pairScorer(base, held, o);
  return { base, sides, engine: await chooseEngine(o.engine), batches, weights, state, steps, score };
}

async function scoreFirst({ engine, state, score }: Run, { threads }: ResolvedAdaptPairs): Promise<Scores> {
  await using session = await engine.open(state, { threads });
  return await score(session);
}

/** How often a run is scored. */
const evaluations = 8;

function jobOf(run: Run, o: ResolvedAdaptPairs, { save }: { save: NonNullable<Job["save"]> }): Omit<Job, "folder"> {
  const { base, engine, state, batches, steps, score } = run;
  const { best } = pairedTasks[o.task];
  const rule = ruleOf(o);
  return {
    engine,
    state,
    batches,
    steps,
    ...(o.threads !== undefined && { threads: o.threads }),
    ...(o.memory !== undefined && { memory: o.memory * 1e6 }),
    training: perShape((batch) =>
      training(pairObjective(base, batch, o), rule, { clip: o.clip, decays: base.family.decays }),
    ),
    schedule: ratesOf(o, o.learningRate, steps),
    accumulation: o.accumulation,
    seed: o.seed,
    evaluate: score,
    every: { evaluate: Math.max(1, Math.ceil(steps / evaluations)), save: o.saveEvery },
    best,
    ...(o.patience !== undefined && { early: { ...best, patience: o.patience } }),
    save,
  };
}

/** With the best weights in the session: score them, write the model and results.json. */
async function finish(
  { base, sides, weights, score }: Run,
  o: ResolvedAdaptPairs,
  { session, path, before }: { session: Session; path: string; before: Scores },
): Promise<void> {
  const { train, validation } = sides;
  const counts = { train: train.length, validation: validation.length };
  const result: AdaptPairsResult = { task: o.task, before, after: await score(session), pairs: counts };
  const { contextLength = base.config.contextLength, pooling = base.family.poolings[0], task } = o;
  const vectors = task === "sentence-pairs" && { pooling, normalise: true };
  await saveModel(session, path, {
    family: base.family,
    config: base.config,
    tokenizer: base.tokenizer,
    parameters: weights,
    plinth: { task, contextLength, ...vectors },
    card: card(o, base, result),
  });
  await replaceFile(join(path, "..", "results.json"), `${JSON.stringify(result, null, 2)}\n`);
}

/** What run.json says; a run is resumed only with the same. */
async function settings({ base, sides, state, steps, engine }: Run, given: ResolvedAdaptPairs): Promise<RunSettings> {
  const { resume: _, replace: __, out: ___, epochs: ____, ...o } = given;
  return {
    config: { kind: "adapt", ...o, steps, family: base.family.name },
    seeds: { run: o.seed },
    data: { train: hashOf(sides.train), validation: hashOf(sides.validation), base: hashWeights(state) },
    versions: await versionsOf(engine),
  };
}

/** The options of a run from what its run.json says, to plan it again. */
export function adaptPairsOptionsOf(config: Readonly<Record<string, unknown>>, out: string): ResolvedAdaptPairs {
  const { kind: _, family: __, ...given } = config;
  return optionsOf(adaptPairsOptions, { ...(given as AdaptPairsOptions), out });
}

function hashOf(pairs: readonly Pair[]): string {
  const hash = createHash("sha256");
  for (const { first, second } of pairs) hash.update(`${first.join()}:${second.join()}\n`);
  return hash.digest("hex");
}

const intended = ({ base, sides, steps, batches }: Run, o: ResolvedAdaptPairs): string =>
  [
    `base               ${base.family.name}, ${o.base}`,
    `pairs              ${sides.train.length} to learn from, ${sides.validation.length} to measure on`,
    `run                ${steps} steps, ${((steps * o.accumulation) / batches.perEpoch).toFixed(1)} epochs, learning rate up to ${o.learningRate}`,
  ].join("\n");

const learns = {
  "sentence-pairs": "gives texts that belong together near vectors (InfoNCE over in-batch negatives)",
  "text-to-text": "writes a text from another",
} as const;
const card = (
  o: ResolvedAdaptPairs,
  base: Base,
  { before, after, pairs }: AdaptPairsResult,
): string => `# A ${base.family.name} model that ${learns[o.task]}, adapted by plinth

Adapted from \`${o.base}\` on ${pairs.train} pairs of ${o.data.join(", ")}.

| score on ${pairs.validation} held-out pairs | before | after |
| --- | --- | --- |
${Object.keys(after)
  .map((name) => `| ${name} | ${before[name]!.toFixed(4)} | ${after[name]!.toFixed(4)} |`)
  .join("\n")}
`;
