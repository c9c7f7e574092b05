/** Streaming metrics: sums and counts that merge exactly, so the value is the same for every batch size. */
import { fail } from "../ir/index.js";
import { type ExactSum, plus, total } from "./sum.js";

/**
 * A metric is a monoid: what it keeps is plain data (it survives JSON), `merge` is associative and commutative, and
 * `merge(add(empty, a), add(empty, b))` is `add(add(empty, a), b)`.
 */
export interface Metric<Observation, Kept> {
  readonly summary: string;
  /** Which way is better. */
  readonly goal: "max" | "min";
  empty(): Kept;
  add(kept: Kept, observed: Observation): Kept;
  merge(a: Kept, b: Kept): Kept;
  /** Throws `labels` when nothing was observed. */
  value(kept: Kept): number;
}

/** Losses in nats, one for each place; a place with weight 0 is filler. `bytes`: UTF-8 bytes of the text they cover. */
export interface Losses {
  readonly losses: ArrayLike<number>;
  readonly weights?: ArrayLike<number>;
  readonly bytes?: number;
}
/** True and predicted class of each example; an example with weight 0 is filler and is not counted, others count once. */
export interface Answers {
  readonly labels: ArrayLike<number>;
  readonly predictions: ArrayLike<number>;
  readonly weights?: ArrayLike<number>;
}

/** Weighted losses: their exact sum, the exact sum of weights, and bytes. */
export interface LossSums {
  readonly loss: ExactSum;
  readonly weight: ExactSum;
  readonly bytes: number;
}
/** How often each class was given for each class: `counts["3,5"]` examples of class 3 were called 5. */
export interface Confusion {
  readonly counts: Readonly<Record<string, number>>;
}

const lossMetric = (
  summary: string,
  value: (sums: { loss: number; weight: number; bytes: number }) => number,
): Metric<Losses, LossSums> => ({
  summary,
  goal: "min",
  empty: () => ({ loss: [], weight: [], bytes: 0 }),
  add: addLosses,
  merge: (a, b) => ({
    loss: b.loss.reduce(plus, a.loss),
    weight: b.weight.reduce(plus, a.weight),
    bytes: a.bytes + b.bytes,
  }),
  value(kept) {
    const weight = total(kept.weight);
    if (weight === 0)
      throw fail("labels", `${summary}: no place with a label was evaluated`, "check the held-out data");
    return value({ loss: total(kept.loss), weight, bytes: kept.bytes });
  },
});

function addLosses(kept: LossSums, { losses, weights, bytes = 0 }: Losses): LossSums {
  sameLength("losses", losses, "weights", weights ?? losses);
  let { loss, weight } = kept;
  for (let i = 0; i < losses.length; i++) {
    const w = weights ? weights[i]! : 1;
    if (w === 0) continue;
    const x = losses[i]! * w;
    if (!Number.isFinite(x)) throw fail("non-finite", `the evaluation loss at place ${i} is ${losses[i]}`);
    loss = plus(loss, x);
    weight = plus(weight, w);
  }
  return { loss, weight, bytes: kept.bytes + bytes };
}

/** Mean cross-entropy, in nats for each trained token or example. */
export const loss = lossMetric("mean loss in nats", (s) => s.loss / s.weight);
/** exp of the mean loss: among how many equally likely tokens the model hesitates. */
export const perplexity = lossMetric("perplexity", (s) => Math.exp(s.loss / s.weight));
/** Loss in bits for each byte of text: comparable between tokenisers. Throws `data` when no bytes were counted. */
export const bitsPerByte = lossMetric("bits for each byte of text", (s) => {
  if (s.bytes === 0) throw fail("data", "bits per byte: no bytes were counted", "give `bytes` with the losses");
  return s.loss / Math.LN2 / s.bytes;
});

const answerMetric = (
  summary: string,
  value: (counts: readonly Cell[], examples: number) => number,
): Metric<Answers, Confusion> => ({
  summary,
  goal: "max",
  empty: () => ({ counts: {} }),
  add: addAnswers,
  merge(a, b) {
    const counts = { ...a.counts };
    for (const [cell, n] of Object.entries(b.counts)) counts[cell] = (counts[cell] ?? 0) + n;
    return { counts };
  },
  value(kept) {
    const list = cells(kept);
    const examples = list.reduce((n, c) => n + c.count, 0);
    if (examples === 0) throw fail("labels", `${summary}: no example was evaluated`, "check the held-out data");
    return value(list, examples);
  },
});

function addAnswers(kept: Confusion, { labels, predictions, weights }: Answers): Confusion {
  sameLength("labels", labels, "predictions", predictions);
  if (weights) sameLength("labels", labels, "weights", weights);
  const counts = { ...kept.counts };
  for (let i = 0; i < labels.length; i++) {
    if (weights && weights[i] === 0) continue;
    const cell = `${labels[i]},${predictions[i]}`;
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  return { counts };
}

interface Cell {
  readonly label: number;
  readonly prediction: number;
  readonly count: number;
}
const cells = (kept: Confusion): Cell[] =>
  Object.entries(kept.counts).map(([cell, count]) => {
    const [label, prediction] = cell.split(",").map(Number) as [number, number];
    return { label, prediction, count };
  });

/** Share of examples whose class is right. */
export const accuracy = answerMetric(
  "share of right answers",
  (list, examples) => list.reduce((n, c) => n + (c.label === c.prediction ? c.count : 0), 0) / examples,
);

/**
 * Mean of the classes' F1 = 2·tp / (2·tp + fp + fn), as scikit-learn's `f1_score(average="macro")`: over the classes that
 * occur among labels or predictions, or over 0 … classes − 1. A class that never occurs scores `zeroDivision`; NaN leaves it out.
 */
export const macroF1 = ({
  classes,
  zeroDivision = 0,
}: {
  readonly classes?: number;
  readonly zeroDivision?: number;
} = {}): Metric<Answers, Confusion> =>
  answerMetric("macro-averaged F1", (list) => {
    const hits = new Map<number, number>();
    const seen = new Map<number, number>();
    const count = (map: Map<number, number>, label: number, n: number) => map.set(label, (map.get(label) ?? 0) + n);
    for (const c of list) {
      if (c.label === c.prediction) count(hits, c.label, c.count);
      count(seen, c.label, c.count);
      count(seen, c.prediction, c.count);
    }
    const labels = classes === undefined ? [...seen.keys()] : Array.from({ length: classes }, (_, i) => i);
    const scores = labels
      .sort((a, b) => a - b)
      .map((label) => (seen.has(label) ? (2 * (hits.get(label) ?? 0)) / seen.get(label)! : zeroDivision))
      .filter((f1) => !Number.isNaN(f1));
    return scores.length ? scores.reduce((a, b) => a + b, 0) / scores.length : Number.NaN;
  });

/** Several metrics over one stream of observations. */
export interface Tally<Observation> {
  add(observed: Observation): void;
  /** What is kept, by metric: plain data, to be merged elsewhere. */
  kept(): Readonly<Record<string, unknown>>;
  merge(kept: Readonly<Record<string, unknown>>): void;
  values(): Record<string, number>;
}

/** `const t = tally({ accuracy, macroF1: macroF1() }); for (const b of batches) t.add(answers(b)); t.values()`. */
export function tally<Observation>(
  // biome-ignore lint/suspicious/noExplicitAny: each metric keeps its own kind of sums
  metrics: Readonly<Record<string, Metric<Observation, any>>>,
): Tally<Observation> {
  const kept = Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, metric.empty()]));
  const each = (f: (name: string) => unknown) => Object.keys(metrics).map((name) => [name, f(name)] as const);
  return {
    add: (observed) => {
      for (const [name, value] of each((name) => metrics[name]!.add(kept[name], observed))) kept[name] = value;
    },
    kept: () => ({ ...kept }),
    merge: (other) => {
      for (const [name, value] of each((name) => metrics[name]!.merge(kept[name], other[name]))) kept[name] = value;
    },
    values: () => Object.fromEntries(each((name) => metrics[name]!.value(kept[name]))) as Record<string, number>,
  };
}

function sameLength(a: string, x: ArrayLike<number>, b: string, y: ArrayLike<number>): void {
  if (x.length !== y.length) throw fail("data", `${x.length} ${a} but ${y.length} ${b}`);
}
