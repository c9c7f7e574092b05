import { expect, test } from "vitest";
import { grad } from "../grad/index.js";
import { type Exact, evaluate, exact, nd, params, Scope } from "../ir/index.js";
import { families } from "../models/index.js";
import { initialise } from "../nn/index.js";
import { type SentencePairsSizes, sentencePairs } from "./index.js";

const [B, T] = [4, 5];
const { bert, t5 } = families;
const sizes = { vocabSize: 30, contextLength: 8, layers: 1, heads: 2, hiddenSize: 8, initialDeviation: 0.5 };
// rows 0 and 2 share their first text, rows 0 and 1 their second; row 3 fills up
const texts = [1, 2, 1, 0, 5, 5, 6, 0];
const weights = [1, 1, 1, 0];
const feeds = {
  ids: nd(
    "i32",
    [2 * B, T],
    texts.flatMap((text) => Array.from({ length: T }, (_, i) => (text * 5 + i * 3) % 30)),
  ),
  segments: nd(
    "i32",
    [2 * B, T],
    texts.flatMap((text) => Array.from({ length: T }, (_, i) => (text && i < 2 + (text % 3) ? 1 : 0))),
  ),
  texts: nd("i32", [2 * B], texts),
  weights: nd("f32", [B], weights),
};

function run(o: Partial<SentencePairsSizes>, family: typeof bert | typeof t5 = bert) {
  const task = sentencePairs(family as typeof bert, family.config.parse(sizes) as never, {
    p: new Scope(),
    batch: B,
    length: T,
    ...o,
  });
  const { sum, count } = task.objective;
  const trained = params([sum]);
  const given = [...initialise(trained, 1), ...Object.entries(feeds)];
  const roots = [sum, count, task.outputs.correct, task.outputs.vectors, ...grad(sum, trained)];
  const all = evaluate(roots, new Map(given.map(([name, value]): [string, Exact] => [name, exact(value)])));
  const [total, pairs, correct, vectors, ...gradients] = all.map(({ data }) => data);
  return { sum: total![0]!, count: pairs![0], correct: correct![0], vectors: vectors!, gradients };
}

/** The loss as it is defined, from the vectors: negatives are the other pairs' second texts that are not right too. */
function defined(vectors: Float64Array, scale: number, back: boolean): number {
  const D = vectors.length / (2 * B);
  const of = (row: number) => vectors.slice(row * D, (row + 1) * D);
  const cosine = (i: number, j: number) => of(i).reduce((total, x, k) => total + x * of(B + j)[k]!, 0);
  let sum = 0;
  for (let i = 0; i < B; i++) {
    if (!weights[i]) continue;
    const negatives = [0, 1, 2, 3].filter(
      (j) => j === i || (weights[j] && texts[j] !== texts[i] && texts[B + j] !== texts[B + i]),
    );
    const scores = negatives.map((j) => scale * (back ? cosine(j, i) : cosine(i, j)));
    sum += Math.log(scores.reduce((total, s) => total + Math.exp(s), 0)) - scale * cosine(i, i);
  }
  return sum;
}

test("the loss is InfoNCE over the true negatives of the batch, filler and shared texts apart", () => {
  for (const scale of [20, 1]) {
    const { sum, count, vectors } = run({ scale });
    expect(count).toBe(3);
    expect(sum).toBeCloseTo(defined(vectors, scale, false), 9);
  }
  const { sum, vectors } = run({ symmetric: true });
  expect(sum).toBeCloseTo((defined(vectors, 20, false) + defined(vectors, 20, true)) / 2, 9);
});

test("vectors are of length 1, and a row that is padding leaves every gradient finite", () => {
  for (const family of [bert, t5]) {
    const { vectors, gradients } = run({}, family);
    const D = vectors.length / (2 * B);
    for (const row of [0, 1, 2, 4, 5, 6])
      expect(vectors.slice(row * D, (row + 1) * D).reduce((total, x) => total + x * x, 0)).toBeCloseTo(1, 9);
    expect(gradients.flatMap((data) => [...data!]).every(Number.isFinite)).toBe(true);
    expect(gradients.some((data) => data!.some((x) => x !== 0))).toBe(true);
  }
});
