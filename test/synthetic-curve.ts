/** Curves as an adaptation and its control would write them, from a formula: what pre-training is worth is an argument. */
import type { Arm, ArmRun, Curve } from "../src/evaluate/index.js";

export interface Synthetic {
  /** From scratch needs this many times the labels: 1 is no use, below 1 is harm. */
  readonly worth?: number;
  /** From scratch needs this many times the steps. */
  readonly speed?: number;
  readonly sizes?: readonly number[];
  readonly seeds?: readonly number[];
  /** Seeds differ by this much, in score; the two arms of a pair by as much, in opposite directions. */
  readonly noise?: number;
}

/** Accuracy of a network from scratch after `size` labels. */
const learned = (size: number): number => 0.9 * (1 - 1 / (1 + (size / 400) ** 0.6));

/** A curve whose multipliers are known. Every evaluation costs 100 steps of a gigaflop each. */
export function syntheticCurve({
  worth = 8,
  speed = 5,
  sizes = [64, 256, 1024],
  seeds = [1, 2, 3],
  noise = 0.01,
}: Synthetic = {}): Curve {
  const runs = sizes.flatMap((size) =>
    seeds.flatMap((seed, i) => [
      armRun("adapted", { size, seed, end: learned(size * worth) + noise * (i - 1), pace: 3 }),
      armRun("scratch", {
        size,
        seed,
        end: learned(size) - noise * (i - 1) * (worth === 1 ? 1 : 0.5),
        pace: 3 * speed,
      }),
    ]),
  );
  return {
    format: "plinth-curve/1",
    task: "text-classification",
    data: "26 categories of WordNet nouns",
    method: "full",
    metric: { name: "accuracy", goal: "max" },
    classes: 26,
    baseline: 0.142,
    tested: { test: 4000, validation: 1000 },
    parameters: 3_600_000,
    runs,
    pretraining: {
      name: "plinth-tiny-en",
      parameters: 3_600_000,
      data: "94,000 WordNet definitions and examples",
      machine: "2 × AVX2 core",
      examples: 9.4e5,
      tokens: 1.6e7,
      flops: 4e14,
      seconds: 4200,
      joules: 4200 * 24,
      losses: Array.from({ length: 60 }, (_, i) => ({
        step: i * 100,
        loss: 3 + 6 * Math.exp(-i / 9) + 0.05 * Math.sin(7 * i),
      })),
    },
    energy: { measured: false, how: "estimated: processor seconds × 12 W per busy core" },
    tuning: {
      adapted: [1e-4, 3e-4],
      scratch: [3e-4, 1e-3],
      how: "each arm's best on validation at 256 labels, seed 0",
    },
  };
}

interface Shape {
  readonly size: number;
  readonly seed: number;
  readonly end: number;
  /** Evaluations until the score is within 1/e of its end. */
  readonly pace: number;
}

function armRun(arm: Arm, { size, seed, end, pace }: Shape): ArmRun {
  const cost = (evaluations: number) => ({
    examples: evaluations * 1600,
    tokens: evaluations * 24_000,
    flops: evaluations * 1e11,
    seconds: evaluations * 2,
    joules: evaluations * 48,
  });
  const evaluations = 30;
  const points = Array.from({ length: evaluations + 1 }, (_, i) => ({
    step: i * 100,
    ...cost(i),
    score: 1 / 26 + (end - 1 / 26) * (1 - Math.exp(-i / pace)),
    loss: 0.05 + 3.2 * Math.exp(-i / pace) + 0.02 * Math.sin(i * seed),
  }));
  return {
    arm,
    size,
    seed,
    learningRate: arm === "adapted" ? 3e-4 : 1e-3,
    trainableParameters: 3_600_000,
    steps: evaluations * 100,
    score: end,
    metrics: { accuracy: end, macroF1: end * 0.9 },
    points,
    cost: cost(evaluations),
    peakBytes: 4.1e8,
  };
}
