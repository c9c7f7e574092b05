/** A small but real training job: two layers with dropout that learn which of two clouds a point is in. */
import { type Batch, type Batches, random } from "../src/data/index.js";
import { f32, i32, input, type Nd, nd, param, type Tensor, u32 } from "../src/ir/index.js";
import { initialise, normal, zeros } from "../src/nn/index.js";
import { crossEntropy, dropout } from "../src/ops/index.js";
import { adamw, type Objective, type Rule, schedule, type TrainingOptions, training } from "../src/optim/index.js";
import type { Job } from "../src/train/index.js";

export interface ToyOptions extends TrainingOptions {
  readonly rows?: number;
  readonly width?: number;
  readonly rule?: Rule;
  readonly steps?: number;
  readonly accumulation?: number;
  readonly dropout?: number;
}

/** Points in two squares that touch, labelled by square; the batch of an index is always the same. */
export function squares(rows: number): Batches {
  const at = (index: number): Batch => {
    const { uniform: draw } = random(5, index);
    const labels = Array.from({ length: rows }, () => Math.floor(draw() * 2));
    const x = labels.flatMap((label) => [label + draw(), 2 * draw() - label]);
    const feeds: Record<string, Nd> = {
      x: nd("f32", [rows, 2], x),
      labels: nd("i32", [rows], labels),
      weights: nd("f32", [rows], 1),
    };
    return { feeds, tokens: rows, examples: rows, ids: labels.map((_, i) => `${index}:${i}`) };
  };
  return { at, perEpoch: 8 };
}

/** What the network learns; `losses` has one for each point. */
export function network(rows: number, width: number, rate = 0.1): { objective: Objective; losses: Tensor } {
  const x = input("x", f32([rows, 2]));
  const hidden = x.matmul(param("hidden.weight", [2, width], normal(0.5))).add(param("hidden.bias", [width], zeros));
  const kept = rate ? dropout(hidden.tanh(), input("seed", u32([])), { rate, stream: 1 }) : hidden.tanh();
  const logits = kept.matmul(param("head.weight", [width, 2], normal(0.5))).add(param("head.bias", [2], zeros));
  const [losses] = crossEntropy(logits, input("labels", i32([rows])));
  const weights = input("weights", f32([rows]));
  return { objective: { sum: losses.mul(weights).sum(), count: weights.sum() }, losses };
}

/** A job without its engine and folder. */
export function toyJob(options: ToyOptions = {}): Omit<Job, "engine" | "folder"> {
  const { rows = 16, width = 8, rule = adamw(), steps = 20, accumulation = 1, dropout: rate, ...rest } = options;
  const programs = training(network(rows, width, rate).objective, rule, { clip: 1, ...rest });
  return {
    training: programs,
    state: initialise(programs.trainable, 3),
    batches: squares(rows),
    steps,
    schedule: schedule({ kind: "cosine", learningRate: 0.1, steps, warmupSteps: 4 }),
    accumulation,
    seed: 7,
  };
}
