/** How one parameter moves, given its gradient: the interface that every optimiser fills in. */
import { fail, scalar, type Tensor } from "../ir/index.js";
import "../ops/index.js";

/** What changes from step to step, as scalars of the graph. */
export interface Clock {
  readonly learningRate: Tensor;
  /** Counts from 1. */
  readonly step: Tensor;
  /** What every gradient is multiplied by before use (clipping, division by a count). Absent: by 1. */
  readonly scale?: Tensor | undefined;
}

/** The new value of a parameter and of what its rule remembers, in the order of the rule's `state`. */
export type Update = (
  w: Tensor,
  gradient: Tensor,
  state: readonly Tensor[],
  decays: boolean,
) => readonly [w: Tensor, ...state: Tensor[]];

/** An optimiser. */
export interface Rule {
  readonly name: string;
  /** Where the method comes from. */
  readonly paper: string;
  /** Names of what it remembers of `w`; each has the shape of `w` and starts at zero. */
  state(w: Tensor): readonly string[];
  /** Scalars that all parameters share are computed here once; the result updates one parameter. */
  at(clock: Clock): Update;
}

/** `x` by an optional scalar. */
export const scaled = (x: Tensor, by: Tensor | undefined): Tensor => (by ? x.mul(by) : x);

/** What decoupled weight decay leaves of a weight: `1 - learningRate * weightDecay` (Loshchilov and Hutter 2019). */
export const kept = ({ learningRate }: Clock, weightDecay: number): Tensor | undefined =>
  weightDecay === 0 ? undefined : learningRate.mul(-weightDecay).add(1);

/** `1 - base ** step` as a scalar, exact in f32 where the power is close to 1: 2t / (1 + t) with t = tanh(-step ln(base) / 2). */
export function oneLessPower(base: number, step: Tensor): Tensor {
  if (base === 0) return scalar(1);
  const t = step.mul(-Math.log(base) / 2).tanh();
  return t.mul(2).div(t.add(1));
}

/** Throw unless `low <= value < high`. */
export function within(name: string, value: number, [low, high]: readonly [number, number]): void {
  if (!(value >= low && value < high)) throw fail("attribute", `${name} is ${value}, outside [${low}, ${high})`);
}
