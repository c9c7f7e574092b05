/** Small samples told honestly: minimum, median, maximum; values known only on one side; where a learning curve reaches a score. */

/** Three numbers that say what a handful of seeds gave. */
export interface Range {
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
}

/** Minimum, median and maximum; the median of an even count is the mean of the middle two. Undefined for no values. */
export function range(values: readonly number[]): Range | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  if (n === 0) return undefined;
  const median = n % 2 ? sorted[(n - 1) / 2]! : (sorted[n / 2 - 1]! + sorted[n / 2]!) / 2;
  return { minimum: sorted[0]!, median, maximum: sorted[n - 1]! };
}

/** A number that was measured, or a side of it: what was measured stops before it was found. */
export interface Bounded {
  readonly value: number;
  readonly bound: "exact" | "at least" | "at most";
}
export interface BoundedRange {
  readonly minimum: Bounded;
  readonly median: Bounded;
  readonly maximum: Bounded;
}

export const exactly = (value: number): Bounded => ({ value, bound: "exact" });
export const atLeast = (value: number): Bounded => ({ value, bound: "at least" });
export const atMost = (value: number): Bounded => ({ value, bound: "at most" });

/** `x` times a known positive factor. */
export const scaled = (x: Bounded, factor: number): Bounded => ({ ...x, value: x.value * factor });

/**
 * Minimum, median and maximum of numbers some of which are bounds. Each is an interval; the order statistics of the lower ends
 * and of the upper ends enclose the true ones. Where both ends are finite and differ, the lower one is reported.
 */
export function boundedRange(values: readonly Bounded[]): BoundedRange | undefined {
  const low = range(values.map((x) => (x.bound === "at most" ? 0 : x.value)));
  const high = range(values.map((x) => (x.bound === "at least" ? Number.POSITIVE_INFINITY : x.value)));
  if (!low || !high) return undefined;
  const enclosed = (name: keyof Range): Bounded => {
    const [a, b] = [low[name], high[name]];
    return a === b ? exactly(a) : a === 0 ? atMost(b) : atLeast(a);
  };
  return { minimum: enclosed("minimum"), median: enclosed("median"), maximum: enclosed("maximum") };
}

/** Which way is better: larger or smaller scores. */
export type Goal = "max" | "min";
/** Whether `a` is at least as good as `b`. */
export const reaches = (a: number, b: number, goal: Goal): boolean => (goal === "max" ? a >= b : a <= b);
/** By how much `a` is better than `b`: positive is better, whatever the goal. */
export const gain = (a: number, b: number, goal: Goal): number => (goal === "max" ? a - b : b - a);

/** One measured point of a learning curve. */
export interface CurvePoint {
  /** Labelled examples: positive. */
  readonly size: number;
  readonly score: number;
}

/**
 * How many labelled examples a learning curve needs to reach a score: where the line through its points, straight in log(size),
 * first gets there. Below the smallest measured size it is only known that no more are needed ("at most"); when no measured
 * size reaches the score, that more are ("at least" the largest). Undefined for a curve without points.
 */
export function labelsToReach(points: readonly CurvePoint[], score: number, goal: Goal): Bounded | undefined {
  const sorted = [...points].sort((a, b) => a.size - b.size);
  const found = sorted.findIndex((p) => reaches(p.score, score, goal));
  const here = sorted[found];
  if (!here) return sorted.length ? atLeast(sorted[sorted.length - 1]!.size) : undefined;
  const before = sorted[found - 1];
  if (!before) return here.score === score ? exactly(here.size) : atMost(here.size);
  const share = (score - before.score) / (here.score - before.score);
  return exactly(before.size * (here.size / before.size) ** share);
}

/** Items by key, in order of first appearance. */
export function grouped<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const k = key(item);
    const group = groups.get(k);
    if (group) group.push(item);
    else groups.set(k, [item]);
  }
  return groups;
}
