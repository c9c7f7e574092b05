/** What is learnt from pairs of texts: the batches, the programs and the scores of each of its tasks. */
import {
  type Batch,
  type Batches,
  contrastBatches,
  type Pair,
  type PairBatchOptions,
  sequenceBatches,
} from "../data/index.js";
import { fail, type Nd, type Program, Scope } from "../ir/index.js";
import type { Session } from "../runtime/index.js";
import { languageModelling, type SentencePairs, sentencePairs } from "../tasks/index.js";
import type { Goal } from "../train/index.js";
import type { PairTask, ResolvedAdaptPairs } from "./adapt-pairs-options.js";
import { only } from "./fit.js";
import { dropsOut, type Model } from "./language-model.js";

/** A task's programs for batches of one shape. */
type Built = Pick<SentencePairs, "objective"> & {
  readonly outputs: Readonly<Record<string, SentencePairs["objective"]["sum"]>>;
};
type Shape = readonly [rows: number, length: number];

export interface PairedTask {
  /** Columns of the two texts, where none are named. */
  readonly columns: readonly [string, string];
  readonly best: Goal;
  batches(pairs: readonly Pair[], o: PairBatchOptions): Batches;
  build(model: Model, batch: Batch, o: ResolvedAdaptPairs & { readonly training: boolean }): Built;
  /** What scores are made of, from a batch's outputs: names of outputs to keep beside sums. */
  scores(batches: readonly Scored[]): Record<string, number>;
}

/** What a program gave for a batch. */
export interface Scored {
  readonly out: Readonly<Record<string, Nd>>;
  readonly feeds: Readonly<Record<string, Nd>>;
}

const total = (all: readonly Scored[], name: string): number =>
  all.reduce((sum, { out }) => sum + Number(out[name]!.data[0]), 0);

export const pairedTasks = {
  "sentence-pairs": {
    columns: ["anchor", "positive"],
    best: { metric: "recallAt1", goal: "max" },
    batches: contrastBatches,
    build({ family, config }, { feeds }, { training, pooling, scale, symmetric }) {
      const [rows, length] = feeds["ids"]!.shape as unknown as Shape;
      const sizes = { batch: rows / 2, length, training, scale, symmetric, ...(pooling && { pooling }) };
      return sentencePairs(family, config, { p: new Scope(), ...sizes });
    },
    scores: (all) => ({ loss: total(all, "sum") / total(all, "count"), ...retrieval(all) }),
  },
  "text-to-text": {
    columns: ["source", "target"],
    best: { metric: "loss", goal: "min" },
    batches: sequenceBatches,
    build({ family, config }, { feeds }, { training }) {
      if (family.objective !== "seq2seq")
        throw fail(
          "config",
          `a ${family.name} model has no encoder that a decoder writes from`,
          "start from a t5 model",
        );
      const [batch, length] = feeds["ids"]!.shape as unknown as Shape;
      const targetLength = feeds["labels"]!.shape[1]!;
      return languageModelling(family, config, { p: new Scope(), batch, length, targetLength, training });
    },
    scores(all) {
      const loss = total(all, "sum") / total(all, "count");
      return { loss, perplexity: Math.exp(loss), accuracy: total(all, "correct") / total(all, "count") };
    },
  },
} satisfies Record<PairTask, PairedTask>;

/** Among all second texts: how often the right one is nearest to the first, and the mean of one over its rank. */
function retrieval(all: readonly Scored[]): Record<string, number> {
  const [first, second]: [Side[], Side[]] = [[], []];
  for (const { out, feeds } of all) {
    const { shape, data } = out["vectors"]!;
    const [B, D] = [shape[0]! / 2, shape[1]!];
    const row = (b: number): Side => ({
      vector: data.slice(b * D, (b + 1) * D) as Float32Array,
      text: textAt(feeds, b),
    });
    for (let b = 0; b < B; b++)
      if (feeds["weights"]!.data[b]) {
        first.push(row(b));
        second.push(row(B + b));
      }
  }
  let [hits, reciprocal] = [0, 0];
  for (const [i, { vector }] of first.entries()) {
    const own = dot(vector, second[i]!.vector);
    // the same text in another pair is no better an answer
    const better = second.filter((other) => other.text !== second[i]!.text && dot(vector, other.vector) > own);
    if (!better.length) hits++;
    reciprocal += 1 / (1 + better.length);
  }
  return { recallAt1: hits / first.length, reciprocalRank: reciprocal / first.length };
}
interface Side {
  readonly vector: Float32Array;
  readonly text: string;
}

/** A row's ids as text: equal for equal texts in any batch. */
function textAt({ ids, segments }: Readonly<Record<string, Nd>>, row: number): string {
  const T = ids!.shape[1]!;
  const real = (ids!.data as Int32Array).subarray(row * T, (row + 1) * T);
  return real.filter((_, i) => segments!.data[row * T + i]).join();
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** One program for each shape of batch, made when it is first met: the same object for the same shapes. */
export function perShape<T>(make: (batch: Batch) => T): (batch: Batch) => T {
  const known = new Map<string, T>();
  return (batch) => {
    const key = ["ids", "labels"].map((name) => batch.feeds[name]?.shape.join()).join(" ");
    const made = known.get(key) ?? make(batch);
    known.set(key, made);
    return made;
  };
}

/** Scores over batches, in order. */
export function pairScorer(
  model: Model,
  held: Batches,
  o: ResolvedAdaptPairs,
): (session: Session) => Promise<Record<string, number>> {
  const task: PairedTask = pairedTasks[o.task];
  const program = perShape((batch): Program => {
    const { objective, outputs } = task.build(model, batch, { ...o, training: false });
    return { outputs: { ...objective, ...outputs }, next: {} };
  });
  return async (session) => {
    const all: Scored[] = [];
    for (let i = 0; i < held.perEpoch; i++) {
      const batch = await held.at(i);
      all.push({ out: await session.run(program(batch), only(batch.feeds, program(batch))), feeds: batch.feeds });
    }
    return task.scores(all);
  };
}

/** What is trained on a batch. */
export const pairObjective = (model: Model, batch: Batch, o: ResolvedAdaptPairs): Built["objective"] =>
  (pairedTasks[o.task] as PairedTask).build(model, batch, { ...o, training: dropsOut(model) }).objective;
