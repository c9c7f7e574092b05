/** Merging: the expression that a parameter became is run, and its value is the parameter. */
import {
  type Exact,
  evaluate,
  exact,
  fail,
  isParam,
  type Nd,
  nameOf,
  nd,
  type Program,
  params,
  type Tensor,
} from "../ir/index.js";
import type { Adaptation } from "./adapt.js";

/** Parameters whose value an adaptation changes, each with its expression. */
function changed(weights: readonly Tensor[], adaptation: Adaptation): [name: string, value: Tensor][] {
  const kept = (t: Tensor): boolean => isParam(t) || (t.op.name === "detach" && kept(t.inputs[0]!));
  return weights.map((w): [string, Tensor] => [nameOf(w), adaptation(w)]).filter(([, t]) => !kept(t));
}

/**
 * The values that `weights` have once adapted, computed in float64 and rounded once. `state` holds the weights and what the adaptation
 * learnt; values that do not change are passed on as they are.
 */
export function merge(
  weights: readonly Tensor[],
  adaptation: Adaptation,
  state: ReadonlyMap<string, Nd>,
): Map<string, Nd> {
  const value = (name: string): Nd => {
    const found = state.get(name);
    if (!found)
      throw fail("checkpoint", `cannot merge: the state has no ${name}`, "name the adapter that goes with this model");
    return found;
  };
  const result = new Map(weights.map((w): [string, Nd] => [nameOf(w), value(nameOf(w))]));
  for (const [name, t] of changed(weights, adaptation)) {
    const feeds = new Map(params([t]).map((p): [string, Exact] => [nameOf(p), exact(value(nameOf(p)))]));
    const [out] = evaluate([t], feeds);
    result.set(name, nd(value(name).dtype, out!.shape, out!.data));
  }
  return result;
}

/** The same as a program over a session's state: run once, the weights are merged. Running it again adds the difference again. */
export const mergeProgram = (weights: readonly Tensor[], adaptation: Adaptation): Program => ({
  outputs: {},
  next: Object.fromEntries(changed(weights, adaptation)),
});

/**
 * The largest difference between what a model answered before and after a change that should change nothing, as a share of the largest
 * answer. Throws `parity` when it is above the tolerance, or an answer is not finite. The default tolerance is what single precision
 * leaves after a few dozen layers; a merge that is wrong differs by far more.
 */
export function requireSame(
  before: Nd,
  after: Nd,
  { tolerance = 1e-4, what = "merged" }: { tolerance?: number; what?: string } = {},
): number {
  const [a, b] = [exact(before).data, exact(after).data];
  if (a.length !== b.length)
    throw fail("parity", `the ${what} model gives ${b.length} numbers where there were ${a.length}`);
  let [most, far] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i]!));
    far = Math.max(far, Math.abs(a[i]! - b[i]!));
  }
  const share = far === 0 ? 0 : far / most;
  if (share <= tolerance) return share;
  throw fail(
    "parity",
    `the ${what} model answers differently: by ${share.toPrecision(3)} of its largest answer, ${tolerance} is allowed`,
    `keep the model as it was before it was ${what}`,
  );
}
