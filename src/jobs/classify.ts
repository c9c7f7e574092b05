/** What an adaptation to text classification is made of, before its first step: base, examples, method, first weights. */
import { hashWeights, methods } from "../adapt/index.js";
import { type Example, random } from "../data/index.js";
import { fail, type Nd, nameOf } from "../ir/index.js";
import { initialise } from "../nn/index.js";
import { chooseEngine, type State } from "../runtime/index.js";
import { headNames } from "../tasks/index.js";
import type { ResolvedAdapt } from "./adapt-options.js";
import { type Approach, approach } from "./approach.js";
import { type Base, openBase } from "./base.js";
import { type Labelled, readLabelled } from "./labelled.js";
import { ruleOf } from "./optimizing.js";
import { versionsOf } from "./planned.js";
import { type SharedEngine, shareEngine } from "./shared-engine.js";

export interface Classifying extends AsyncDisposable {
  readonly base: Base;
  readonly labelled: Labelled;
  readonly approach: Approach;
  readonly shared: SharedEngine;
  readonly classes: number;
  /** What computes the numbers, for run.json. */
  readonly versions: Readonly<Record<string, string>>;
  /** Of the base's weights alone. */
  readonly baseHash: string;
  /** First weights of an arm: the base's, or new ones; the head and what the method adds are new, by the seed. */
  state(arm: "adapted" | "scratch", seed: number): State;
}

/** Open the engine, and read everything, but for examples that are given. Throws what bases, labelled data and engines throw. */
export async function classifying(o: ResolvedAdapt, given?: Labelled): Promise<Classifying> {
  const base = await openBase(o.base);
  const labelled = given ?? (await readLabelled(base, o));
  const classes = labelled.labels.length;
  const built = approach(base, { ...o, classes, rule: ruleOf(o) });
  const head = headNames(base.family, base.config, o);
  const body = built.weights.filter((t) => !head.includes(nameOf(t)));
  const pretrained = await base.weights(body);
  const state = (arm: "adapted" | "scratch", seed: number): Map<string, Nd> =>
    new Map([...initialise([...built.weights, ...built.leaves], seed), ...(arm === "adapted" ? pretrained : [])]);
  const engine = await chooseEngine(o.engine);
  const shared = await shareEngine(engine, state("adapted", o.seed), {
    threads: o.threads,
    memory: o.memory && o.memory * 1e6,
  });
  return {
    base,
    labelled,
    approach: built,
    shared,
    classes,
    versions: await versionsOf(engine),
    baseHash: hashWeights(pretrained),
    state,
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  };
}

/** The first `count` examples in the seed's order: smaller subsets of one seed are parts of larger ones. */
export function subset(examples: readonly Example[], count: number | undefined, seed: number): readonly Example[] {
  if (count === undefined || count === examples.length) return examples;
  if (count > examples.length)
    throw fail("config", `${count} examples were asked for, there are ${examples.length}`, "ask for fewer");
  return random(seed, 1)
    .shuffle([...examples])
    .slice(0, count);
}

/** At most `most` of the examples, drawn evenly: files are often sorted by label. The same ones for every run. */
export const held = (examples: readonly Example[], most: number): readonly Example[] =>
  subset(examples, Math.min(most, examples.length), 0);

/** Steps of a run over so many examples: as told, or the epochs within sensible bounds for few and for many. */
export function stepsFor(o: ResolvedAdapt, examples: number): number {
  if (o.steps !== undefined) return o.steps;
  const wanted = Math.ceil((o.epochs * examples) / (o.batchSize * o.accumulation));
  return Math.min(3000, Math.max(150, wanted));
}

/** The learning rate that was asked for, or the method's measured one. */
export const rateFor = (o: ResolvedAdapt): number => o.learningRate ?? methods[o.method].learningRate.value;
