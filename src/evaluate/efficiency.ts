/** What pre-training saved: how many fewer labels, how much less compute, and whether that is a benefit, nothing, or harm. */
import { fail } from "../ir/index.js";
import type { ArmRun, Cost, Curve, Point, Pretraining } from "./curve.js";
import {
  atLeast,
  atMost,
  type Bounded,
  type BoundedRange,
  boundedRange,
  exactly,
  type Goal,
  gain,
  grouped,
  labelsToReach,
  type Range,
  range,
  reaches,
  scaled,
} from "./statistics.js";

/** What a run spends that can be compared. */
export type Expense = "flops" | "seconds" | "joules";
export const expenses = ["flops", "seconds", "joules"] as const satisfies readonly Expense[];

/** `unproven`: fewer than three pairs, so nothing is claimed. */
export type Verdict = "benefit" | "no benefit" | "harm" | "unproven";

/** After how many adaptations the pre-training is repaid; `null`: never, each one saves nothing. */
export type Payback = { readonly adaptations: number | null; readonly saved: number };

/** Both arms at one number of labelled examples, paired by seed. */
export interface SizeResult {
  readonly size: number;
  readonly seeds: readonly number[];
  readonly adapted: Range;
  readonly scratch: Range;
  /** Adapted against from scratch for each seed, in the metric's own unit: positive is better. */
  readonly difference: Range;
  /** Labels from scratch ÷ labels adapted, at the adapted score. Undefined where the curve cannot say. */
  readonly dataMultiplier?: BoundedRange;
  /** Cost from scratch of its best score ÷ cost adapted of first reaching that score. Undefined without evaluations along training. */
  readonly computeMultiplier: Readonly<Partial<Record<Expense, BoundedRange>>>;
  /** Pre-training cost ÷ what one adaptation saves (median over seeds), reaching the scratch run's best score. */
  readonly payback?: Readonly<Record<Expense, Payback>>;
  readonly verdict: Verdict;
  /** Why, with the numbers of the rule. */
  readonly reason: string;
}

/** The result of a curve; `headline` is the one to print first. */
export interface Efficiency {
  readonly metric: { readonly name: string; readonly goal: Goal };
  readonly sizes: readonly SizeResult[];
  /** The smallest size that both arms were trained at: where labels are dearest. */
  readonly headline: SizeResult;
  readonly pretraining?: Pretraining;
}

/** The rule behind every verdict, in one sentence. */
export const rule =
  "Benefit: the adapted network scores better than the one from scratch for every seed. Harm: worse for every seed. " +
  "Anything else: no benefit. Fewer than three seeds: unproven.";

/** Measure a curve. Throws `run` when no size has both arms under one seed. */
export function efficiency(curve: Curve): Efficiency {
  const { goal } = curve.metric;
  const scratch = curve.runs.filter((r) => r.arm === "scratch");
  const sizes = [...grouped(pairs(curve.runs), (p) => p.adapted.size)]
    .sort(([a], [b]) => a - b)
    .map(([size, list]) => sizeResult(size, list, scratch, goal, curve.pretraining));
  const headline = sizes[0];
  if (!headline)
    throw fail("run", "no adapted run has a run from scratch of the same size and seed", "adapt with `--control`");
  return { metric: curve.metric, sizes, headline, ...(curve.pretraining && { pretraining: curve.pretraining }) };
}

interface Pair {
  readonly adapted: ArmRun;
  readonly scratch: ArmRun;
}

/** The two arms on the same labelled examples, in order of size and seed. */
function pairs(runs: readonly ArmRun[]): Pair[] {
  const key = (r: ArmRun) => `${r.size} ${r.seed}`;
  const controls = new Map(runs.filter((r) => r.arm === "scratch").map((r) => [key(r), r]));
  return runs
    .filter((r) => r.arm === "adapted")
    .sort((a, b) => a.size - b.size || a.seed - b.seed)
    .flatMap((adapted) => {
      const scratch = controls.get(key(adapted));
      return scratch ? [{ adapted, scratch }] : [];
    });
}

function sizeResult(
  size: number,
  list: readonly Pair[],
  scratch: readonly ArmRun[],
  goal: Goal,
  pretraining: Pretraining | undefined,
): SizeResult {
  const gains = list.map((p) => gain(p.adapted.score, p.scratch.score, goal));
  const labels = list.flatMap(({ adapted }) => {
    const mine = scratch.filter((r) => r.seed === adapted.seed);
    const needed = mine.length > 1 ? labelsToReach(mine, adapted.score, goal) : undefined;
    return needed ? [scaled(needed, 1 / size)] : [];
  });
  const dataMultiplier = boundedRange(labels);
  const computeMultiplier: Partial<Record<Expense, BoundedRange>> = {};
  for (const expense of expenses) {
    const found = boundedRange(list.flatMap((p) => computeRatio(p, expense, goal) ?? []));
    if (found) computeMultiplier[expense] = found;
  }
  const payback = pretraining && paybacks(list, pretraining, goal);
  return {
    size,
    seeds: list.map((p) => p.adapted.seed),
    adapted: range(list.map((p) => p.adapted.score))!,
    scratch: range(list.map((p) => p.scratch.score))!,
    difference: range(gains)!,
    ...(dataMultiplier && { dataMultiplier }),
    computeMultiplier,
    ...(payback && { payback }),
    ...judge(gains),
  };
}

/** The verdict on paired differences (positive: adapted is better). */
export function judge(gains: readonly number[]): { verdict: Verdict; reason: string } {
  const n = gains.length;
  const better = gains.filter((g) => g > 0).length;
  const worse = gains.filter((g) => g < 0).length;
  const seeds = n === 1 ? "1 seed" : `${n} seeds`;
  if (n < 3) return { verdict: "unproven", reason: `${seeds} only: at least three are needed to call it` };
  if (better === n) return { verdict: "benefit", reason: `better for all ${seeds}` };
  if (worse === n) return { verdict: "harm", reason: `worse for all ${seeds}` };
  return { verdict: "no benefit", reason: `better for ${better} and worse for ${worse} of ${seeds}` };
}

/** The first evaluation at which a score is reached. */
const firstReach = (points: readonly Point[], score: number, goal: Goal): Point | undefined =>
  points.find((p) => reaches(p.score, score, goal));

/** The first evaluation with the best score of a run from scratch, on the examples both arms are evaluated on as they train. */
function best(points: readonly Point[], goal: Goal): Point | undefined {
  return points.reduce<Point | undefined>((b, p) => (b && !(gain(p.score, b.score, goal) > 0) ? b : p), undefined);
}

/** Undefined where there is nothing to divide: no evaluations, or a run from scratch that never got better than untrained. */
function computeRatio({ adapted, scratch }: Pair, expense: Expense, goal: Goal): Bounded | undefined {
  const target = best(scratch.points, goal);
  if (!target || target[expense] === 0 || adapted.points.length === 0) return undefined;
  const reached = firstReach(adapted.points, target.score, goal);
  if (!reached) {
    // it spent everything and did not get there
    const spent = Math.max(adapted.cost[expense], adapted.points[adapted.points.length - 1]![expense]);
    return spent > 0 ? atMost(target[expense] / spent) : undefined;
  }
  if (reached[expense] > 0) return exactly(target[expense] / reached[expense]);
  // there before the first step: dearer than nothing, no dearer than the next evaluation
  const next = adapted.points.find((p) => p[expense] > 0);
  return next && atLeast(target[expense] / next[expense]);
}

function paybacks(
  list: readonly Pair[],
  pretraining: Cost,
  goal: Goal,
): Readonly<Record<Expense, Payback>> | undefined {
  const ends = list.flatMap(({ adapted, scratch }) => {
    const target = best(scratch.points, goal);
    return target ? [{ target, reached: firstReach(adapted.points, target.score, goal) }] : [];
  });
  if (ends.length === 0) return undefined;
  const payback = (expense: Expense): Payback => {
    // a run that never gets there saves nothing, whatever it spent
    const saved = range(ends.map((e) => (e.reached ? e.target[expense] - e.reached[expense] : 0)))!.median;
    return saved > 0 ? { adaptations: pretraining[expense] / saved, saved } : { adaptations: null, saved };
  };
  return { flops: payback("flops"), seconds: payback("seconds"), joules: payback("joules") };
}
