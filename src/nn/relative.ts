/** Relative positions: a learned number for each head and distance, added to the scores of attention (Raffel et al. 2020). */
import { constant, type Init, i32, type Scope, type Tensor } from "../ir/index.js";
import { rowPositions } from "./attention.js";

export interface RelativeOptions {
  readonly heads: number;
  /** Distances that are told apart: half of them exactly, the others ever more coarsely. */
  readonly buckets: number;
  /** From here on all distances are one. */
  readonly maxDistance: number;
  /** Whether before and after differ; otherwise all that comes after is distance 0. */
  readonly bidirectional: boolean;
  readonly init: Init;
}

/** Where queries or keys stand: positions i32 [B T], or so many of them along the row. */
export type Places = Tensor | number;

/** Numbers to add to scores: [1 H T S] along rows, [B H T S] where queries or keys have positions. Parameter `weight` [buckets H]. */
export function relativeBias(
  p: Scope,
  { queries, keys }: { readonly queries: Places; readonly keys: Places },
  { heads, buckets, maxDistance, bidirectional, init }: RelativeOptions,
): Tensor {
  const span = 2 * maxDistance + 1;
  const numbers = Array.from({ length: span }, (_, i) =>
    bucketOf(i - maxDistance, { buckets, maxDistance, bidirectional }),
  );
  // [buckets H] -> [span H]: what is left depends on the distance alone
  const table = p.find("weight") ?? p.param("weight", [buckets, heads], init);
  const byDistance = table.gather(constant(numbers, i32([span])));
  const distance = along(keys, [1, -1]).sub(along(queries, [-1, 1]));
  // [B T S H] -> [B H T S]
  return byDistance.gather(distance.clamp(-maxDistance, maxDistance).add(maxDistance)).transpose([0, 3, 1, 2]);
}

/** Positions of rows, [B 1 S] or [B T 1] as `axes` says with -1 where they lie. */
function along(places: Places, axes: readonly number[]): Tensor {
  const [B, n] = typeof places === "number" ? [1, places] : places.dims("B T");
  const shape = [B, ...axes.map((size) => (size < 0 ? n : size))];
  return (typeof places === "number" ? rowPositions(1, n) : places).reshape(shape);
}

/** The number of a distance, key's place less query's: exact up to a quarter of the buckets (a half where only one side counts), then logarithmic. */
function bucketOf(
  distance: number,
  { buckets, maxDistance, bidirectional }: Pick<RelativeOptions, "buckets" | "maxDistance" | "bidirectional">,
): number {
  const count = bidirectional ? Math.floor(buckets / 2) : buckets;
  const first = bidirectional && distance > 0 ? count : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(count / 2);
  if (far < exact) return first + far;
  // in float32, as the checkpoints' own programs compute it: a distance on a border falls on the same side
  const ratio = Math.fround(
    Math.fround(Math.log(Math.fround(far / exact))) / Math.fround(Math.log(maxDistance / exact)),
  );
  return first + Math.min(count - 1, exact + Math.floor(Math.fround(ratio * (count - exact))));
}
