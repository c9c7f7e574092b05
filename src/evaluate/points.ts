/** From a run's events to points of a curve: scores along training with what each had cost. */
import type { TrainEvent } from "../train/index.js";
import type { Cost, Point } from "./curve.js";

export interface PointOptions {
  /** The score to follow, one of those the run evaluates. */
  readonly metric: string;
  /** What the whole run used; spread over its seconds. */
  readonly joules: number;
  /** Labelled examples in one optimiser step. */
  readonly examplesPerStep: number;
  /** Tokens the network reads in one optimiser step, where events count examples; else the events' own count. */
  readonly tokensPerStep?: number;
}

/** Points and the whole cost of a run. Time is that of the optimiser steps: evaluations and checkpoints are not in it. */
export function pointsOf(events: readonly TrainEvent[], o: PointOptions): { points: Point[]; cost: Cost } {
  const flopsPerStep = events.findLast((e) => e.type === "started")?.flopsPerStep ?? 0;
  const steps = events.filter((e) => e.type === "step");
  const all = steps.reduce((sum, e) => sum + e.milliseconds, 0);
  let [tokens, milliseconds] = [0, 0];
  let losses: number[] = [];
  const cost = (step: number): Cost => ({
    examples: step * o.examplesPerStep,
    tokens,
    flops: step * flopsPerStep,
    seconds: milliseconds / 1000,
    joules: all > 0 ? (o.joules * milliseconds) / all : 0,
  });
  const points: Point[] = [];
  for (const event of events) {
    if (event.type === "step") {
      tokens += o.tokensPerStep ?? event.tokens;
      milliseconds += event.milliseconds;
      losses.push(event.loss);
    } else if (event.type === "score") {
      const loss = losses.length ? losses.reduce((a, b) => a + b, 0) / losses.length : undefined;
      const score = event.scores[o.metric];
      if (score !== undefined)
        points.push({ step: event.step, ...cost(event.step), score, ...(loss !== undefined && { loss }) });
      losses = [];
    }
  }
  return { points, cost: cost(steps.at(-1)?.step ?? 0) };
}
