import { expect, test } from "vitest";
import type { TrainEvent } from "../train/index.js";
import { pointsOf } from "./points.js";

const common = { learningRate: 1, tokensPerSecond: 1, gradientNorm: 1, waitShare: 0 };
const step = (step: number, loss: number): TrainEvent => ({
  type: "step",
  step,
  loss,
  tokens: 16,
  milliseconds: 500,
  ...common,
});
const score = (step: number, accuracy: number): TrainEvent => ({
  type: "score",
  step,
  scores: { accuracy },
  best: false,
  milliseconds: 900,
});

test("a point has the score, the loss since the last point, and the cost of the steps so far", () => {
  const events = [score(0, 0.04), step(1, 3), step(2, 2), score(2, 0.3), step(3, 1), step(4, 1), score(4, 0.5)];
  const { points, cost } = pointsOf(events, {
    metric: "accuracy",
    joules: 40,
    examplesPerStep: 16,
    tokensPerStep: 320,
  });
  expect(points.map((p) => [p.step, p.score, p.loss, p.seconds, p.joules, p.examples, p.tokens])).toEqual([
    [0, 0.04, undefined, 0, 0, 0, 0],
    [2, 0.3, 2.5, 1, 20, 32, 640],
    [4, 0.5, 1, 2, 40, 64, 1280],
  ]);
  expect(cost).toEqual({ examples: 64, tokens: 1280, flops: 0, seconds: 2, joules: 40 });
});
