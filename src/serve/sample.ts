/** Choosing the next token from scores over the vocabulary. */
import { fail } from "../ir/index.js";

export interface SampleOptions {
  /** What the scores are divided by: below 1 is more careful, 0 always takes the most likely. Default 1. */
  readonly temperature?: number | undefined;
  /** Only this many of the most likely tokens may be drawn. */
  readonly topK?: number | undefined;
  /** Only the most likely tokens that together reach this probability may be drawn (Holtzman et al. 2019). */
  readonly topP?: number | undefined;
}

export interface Choice {
  readonly id: number;
  /** Natural logarithm of the model's own probability of the token, before temperature and cuts. */
  readonly logProbability: number;
}

/** Throws `config` unless temperature ≥ 0, topK ≥ 1 and 0 < topP ≤ 1. */
export function checkSampling({ temperature = 1, topK = 1, topP = 1 }: SampleOptions): void {
  const refuse = (what: string, help: string) => fail("config", what, help);
  if (!(temperature >= 0))
    throw refuse(`temperature is ${temperature}`, "0 is greedy, 1 is the model's own distribution");
  if (!(Number.isInteger(topK) && topK >= 1)) throw refuse(`topK is ${topK}`, "a whole number from 1");
  if (!(topP > 0 && topP <= 1)) throw refuse(`topP is ${topP}`, "a probability above 0, at most 1");
}

/** Draw one token; `draw` is uniform on [0, 1). Of equal scores the lower id comes first. Throws `non-finite`. */
export function sample(scores: Float32Array, draw: number, options: SampleOptions = {}): Choice {
  const { temperature = 1, topK = scores.length, topP = 1 } = options;
  const best = highest(scores);
  const total = scores.reduce((sum, x) => sum + Math.exp(x - scores[best]!), 0);
  if (!Number.isFinite(total))
    throw fail(
      "non-finite",
      "the model's scores are not finite numbers",
      "its weights are broken: train or load it again",
    );
  const choose = (id: number): Choice => ({ id, logProbability: scores[id]! - scores[best]! - Math.log(total) });
  if (temperature === 0 || topK === 1) return choose(best);
  const weight = (id: number) => Math.exp((scores[id]! - scores[best]!) / temperature);
  return choose(drawn(kept(scores, weight, { topK, topP }), weight, draw));
}

function highest(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id;
  return best;
}

/** The ids that may be drawn. */
function kept(
  scores: Float32Array,
  weight: (id: number) => number,
  { topK, topP }: { topK: number; topP: number },
): Uint32Array {
  const ids = Uint32Array.from(scores, (_, id) => id);
  if (topK >= ids.length && topP >= 1) return ids;
  ids.sort((a, b) => scores[b]! - scores[a]! || a - b);
  const top = ids.subarray(0, topK);
  const enough = topP * top.reduce((sum, id) => sum + weight(id), 0);
  let [count, reached] = [0, 0];
  while (count < top.length && reached < enough) reached += weight(top[count++]!);
  return top.subarray(0, Math.max(count, 1));
}

function drawn(ids: Uint32Array, weight: (id: number) => number, draw: number): number {
  let left = draw * ids.reduce((sum, id) => sum + weight(id), 0);
  for (const id of ids) {
    left -= weight(id);
    if (left < 0) return id;
  }
  return ids.at(-1)!;
}
