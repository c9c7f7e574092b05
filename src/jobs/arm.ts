/** One run of one arm of a comparison: adapted or from scratch, at one size and seed, with the cost of every score. */
import { rm } from "node:fs/promises";
import type { Batch, Example } from "../data/index.js";
import { type Arm, type ArmRun, openMeter, type Point, peakBytes } from "../evaluate/index.js";
import { size } from "../ir/index.js";
import type { Training } from "../optim/index.js";
import { flops } from "../passes/index.js";
import { openRun, train } from "../train/index.js";
import type { Approach } from "./approach.js";
import { type Classifying, held, stepsFor } from "./classify.js";
import type { ResolvedControl } from "./control-options.js";
import { jobOfFit, scoresOf } from "./fit.js";

export interface ArmPlan {
  readonly arm: Arm;
  readonly size: number;
  readonly seed: number;
  readonly learningRate: number;
  readonly approach: Approach;
  readonly examples: readonly Example[];
  /** The run's folder. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
}

/** Train one arm and score it on the test examples. Its folder keeps the record and the events, not the weights. */
export async function runArm(o: ResolvedControl, c: Classifying, plan: ArmPlan): Promise<ArmRun | undefined> {
  const { approach, seed, learningRate } = plan;
  const { session, engine } = c.shared;
  const state = c.state(plan.arm, seed);
  for (const [name, value] of state) await session.write(name, value);
  const ordered = { seed: 0, shuffle: false, session };
  const batches = await approach.batches(plan.examples, { seed, shuffle: true, session });
  const validation = await approach.batches(held(c.labelled.validation, o.evaluateExamples), ordered);
  const test = await approach.batches(held(c.labelled.test, o.testExamples), ordered);
  const steps = stepsFor(o, plan.examples.length);
  const settings = {
    config: { kind: "adapt", arm: plan.arm, size: plan.size, learningRate, steps, batchSize: o.batchSize },
    seeds: { run: seed },
    data: {},
  };
  const meter = openMeter();
  const points: Point[] = [];
  const losses: number[] = [];
  let metrics: Record<string, number> | undefined;
  {
    await using folder = await openRun(plan.folder, settings, { mode: "replace" });
    const save = async () => {
      meter.pause();
      metrics = await scoresOf(session, approach.scores, test, c.classes);
    };
    const fit = { approach, classes: c.classes, options: o, engine, state, batches, held: validation, learningRate };
    const job = jobOfFit({ ...fit, steps, seed, meter, save });
    const run = train({ ...job, folder, ...(plan.signal && { signal: plan.signal }) });
    const spent = new Work(approach);
    for await (const event of run) {
      if (event.type === "step") {
        losses.push(event.loss);
        const batch = await batches.at(event.step - 1);
        meter.add({ examples: batch.examples, tokens: tokensOf(batch), flops: spent.flops(batch) });
      }
      if (event.type === "score") {
        const loss = losses.reduce((a, b) => a + b, 0) / losses.length;
        points.push({
          step: event.step,
          score: event.scores["accuracy"]!,
          ...(losses.length && { loss }),
          ...meter.cost(),
        });
        losses.length = 0;
      }
    }
  }
  if (!metrics) return undefined; // interrupted
  await rm(`${plan.folder}/checkpoints`, { recursive: true, force: true });
  const { trainable } = approach.training(await batches.at(0));
  return {
    arm: plan.arm,
    size: plan.size,
    seed,
    learningRate,
    trainableParameters: trainable.reduce((sum, t) => sum + size(t.shape), 0),
    steps,
    score: metrics["accuracy"]!,
    metrics,
    points,
    cost: meter.cost(),
    peakBytes: peakBytes(),
  };
}

/** Floating-point operations of a step on a batch, counted once for each program. */
class Work {
  private readonly known = new Map<Training, number>();
  constructor(private readonly approach: Approach) {}
  flops(batch: Batch): number {
    const training = this.approach.training(batch);
    const found = this.known.get(training) ?? flops(training.step);
    this.known.set(training, found);
    return found;
  }
}

/** Real tokens of a batch; cached features count none. */
function tokensOf({ feeds }: Batch): number {
  let real = 0;
  for (const segment of (feeds["segments"]?.data as Int32Array | undefined) ?? []) if (segment > 0) real++;
  return real;
}
