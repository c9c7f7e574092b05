/** Choosing the next token from scores over the vocabulary. */
import { fail } from "../ir/index.js";

/** Applied in this order, which is that of transformers. */
export interface SampleOptions {
  /** What the scores are divided by: below 1 is more careful, 0 always takes the most likely. Default 1. */
  readonly temperature?: number | undefined;
  /** Only this many of the most likely tokens may be drawn. */
  readonly topK?: number | undefined;
  /** Only the most likely tokens that together reach this probability may be drawn (Holtzman et al. 2019). */
  readonly topP?: number | undefined;
  /** Only tokens at least this share as likely as the most likely may be drawn (Nguyen et al. 2024). */
  readonly minP?: number | undefined;
}

/** Throws `config` unless temperature ≥ 0, topK ≥ 1, 0 < topP ≤ 1 and 0 ≤ minP ≤ 1. */
export function checkSampling({ temperature = 1, topK = 1, topP = 1, minP = 0 }: SampleOptions): void {
  const refuse = (what: string, help: string) => fail("config", what, help);
  if (!(temperature >= 0))
    throw refuse(`temperature is ${temperature}`, "0 is greedy, 1 is the model's own distribution");
  if (!(Number.isInteger(topK) && topK >= 1)) throw refuse(`topK is ${topK}`, "a whole number from 1");
  if (!(topP > 0 && topP <= 1)) throw refuse(`topP is ${topP}`, "a probability above 0, at most 1");
  if (!(minP >= 0 && minP <= 1))
    throw refuse(`minP is ${minP}`, "a share of the likeliest token's probability, 0 to 1");
}

/** Logarithm of the sum of exponentials of scores [V]: what they are above their log probabilities. Throws `non-finite`. */
export function logSum(scores: Float32Array): number {
  const top = scores[highest(scores)]!;
  let total = 0;
  for (const x of scores) total += Math.exp(x - top);
  if (!Number.isFinite(total))
    throw fail(
      "non-finite",
      "the model's scores are not finite numbers",
      "its weights are broken: train or load it again",
    );
  return top + Math.log(total);
}

/**
 * Draw one token; `draw` is uniform on [0, 1). Of equal scores the lower id comes first; a score of -Infinity is never drawn.
 * Throws `config` where every score is.
 */
export function sample(scores: ArrayLike<number>, draw: number, options: SampleOptions = {}): number {
  const { temperature = 1, topK = scores.length, topP = 1, minP = 0 } = options;
  const best = highest(scores);
  if (scores[best] === -Infinity) throw nothingFollows();
  if (temperature === 0 || topK === 1) return best;
  const weight = (id: number) => Math.exp((scores[id]! - scores[best]!) / temperature);
  return drawn(kept(scores, weight, { topK, topP, minP }), weight, draw);
}

export const nothingFollows = () =>
  fail("config", "nothing may follow: every token is forbidden", "forbid or penalise less");

function highest(scores: ArrayLike<number>): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id;
  return best;
}

/** The ids that may be drawn. */
function kept(
  scores: ArrayLike<number>,
  weight: (id: number) => number,
  { topK, topP, minP }: { topK: number; topP: number; minP: number },
): Uint32Array {
  let ids = topK < scores.length ? highestOf(scores, topK) : Uint32Array.from(scores, (_, id) => id);
  if (topP < 1) {
    const total = ids.reduce((sum, id) => sum + weight(id), 0);
    // those below an even share of what may be left out cannot add up to more than that
    const least = ((1 - topP) * total) / ids.length;
    ids = ids.filter((id) => weight(id) >= least).sort((a, b) => scores[b]! - scores[a]! || a - b);
    let [count, reached] = [0, 0];
    while (count < ids.length && reached < topP * total) reached += weight(ids[count++]!);
    ids = ids.subarray(0, Math.max(count, 1));
  }
  return minP > 0 ? ids.filter((id) => weight(id) >= minP) : ids;
}

/** Ids of the `count` highest scores, highest first; of equal ones the lower id. -Infinity is left out. */
export function highestOf(scores: ArrayLike<number>, count: number): Uint32Array {
  const found: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    if (score === -Infinity || (found.length >= count && !(score > scores[found.at(-1)!]!))) continue;
    let at = found.length;
    while (at > 0 && score > scores[found[at - 1]!]!) at--;
    found.splice(at, 0, id);
    if (found.length > count) found.pop();
  }
  return Uint32Array.from(found);
}

function drawn(ids: Uint32Array, weight: (id: number) => number, draw: number): number {
  let left = draw * ids.reduce((sum, id) => sum + weight(id), 0);
  for (const id of ids) {
    left -= weight(id);
    if (left < 0) return id;
  }
  // what is left by rounding goes to the last that can be drawn at all
  return ids.findLast((id) => weight(id) > 0)!;
}
