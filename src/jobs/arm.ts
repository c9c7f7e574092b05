/** One run of one arm of a comparison: adapted or from scratch, at one size and seed, with the cost of every score. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Batch, Batches, Example } from "../data/index.js";
import { type Arm, type ArmRun, type Meter, openMeter, type Point, peakBytes } from "../evaluate/index.js";
import { nd, size } from "../ir/index.js";
import type { Training } from "../optim/index.js";
import { flops } from "../passes/index.js";
import type { Session } from "../runtime/index.js";
import { openRun, type TrainEvent, train } from "../train/index.js";
import type { Approach } from "./approach.js";
import { type Classifying, held, stepsFor } from "./classify.js";
import type { ResolvedControl } from "./control-options.js";
import { jobOfFit, only, scoresOf } from "./fit.js";

export interface ArmPlan {
  readonly arm: Arm;
  readonly size: number;
  readonly seed: number;
  readonly learningRate: number;
  readonly approach: Approach;
  /** Programs that other runs have had compiled; this run adds its own. */
  readonly compiled: WeakSet<Training>;
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
  const validation = await approach.batches(held(c.labelled.validation, o.evaluateExamples), ordered);
  const test = await approach.batches(held(c.labelled.test, o.testExamples), ordered);
  const meter = openMeter();
  const spent = (flops: number) => meter.add({ flops });
  const batches = await approach.batches(plan.examples, { seed, shuffle: true, session, spent });
  const steps = stepsFor(o, plan.examples.length);
  meter.pause();
  await compile(session, batches, { ...plan, most: steps * o.accumulation, accumulation: o.accumulation });
  meter.resume();
  const ledger = new Ledger(approach, batches, meter, o.accumulation);
  let metrics: Record<string, number> | undefined;
  const save = async () => {
    meter.pause();
    metrics = await scoresOf(session, approach.scores, test);
  };
  const fit = { approach, options: o, engine, state, batches, held: validation, learningRate };
  const job = jobOfFit({ ...fit, steps, seed, meter, save });
  {
    const config = { kind: "adapt", arm: plan.arm, size: plan.size, learningRate, steps, batchSize: o.batchSize };
    const record = { config, seeds: { run: seed }, data: {} };
    await using folder = await openRun(plan.folder, record, { mode: "replace" });
    try {
      for await (const event of train({ ...job, keep: 0, folder, ...(plan.signal && { signal: plan.signal }) }))
        await ledger.note(event);
    } finally {
      meter.pause();
    }
  }
  if (!metrics) return undefined; // interrupted
  await rm(join(plan.folder, "checkpoints"), { recursive: true, force: true });
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
    points: ledger.points,
    cost: meter.cost(),
    peakBytes: peakBytes(),
  };
}

/**
 * Take a step of every shape among the first `most` batches, so that no run is charged for compiling what others then find
 * compiled. The weights are spoilt: training writes the state anew.
 */
async function compile(
  session: Session,
  batches: Batches,
  o: Pick<ArmPlan, "approach" | "compiled"> & { readonly most: number; readonly accumulation: number },
): Promise<void> {
  for (let i = 0; i < Math.min(batches.perEpoch, o.most); i++) {
    const batch = await batches.at(i);
    const training = o.approach.training(batch);
    if (o.compiled.has(training)) continue;
    o.compiled.add(training);
    const parted = o.accumulation > 1;
    for (const [name, value] of [...training.state, ...(parted ? training.accumulators : [])])
      await session.write(name, value);
    const feeds = { ...batch.feeds, learningRate: nd("f32", [], 0), step: nd("f32", [], 1), seed: nd("u32", [], 0) };
    for (const program of parted ? [training.accumulate, training.apply] : [training.step])
      await session.run(program, only(feeds, program));
  }
}

/** What training had cost at each score. */
class Ledger {
  readonly points: Point[] = [];
  private losses: number[] = [];
  private readonly known = new Map<Training, number>();
  constructor(
    private readonly approach: Approach,
    private readonly batches: Batches,
    private readonly meter: Meter,
    private readonly accumulation: number,
  ) {}

  /** Counting is not training: the meter stands still meanwhile. */
  async note(event: TrainEvent): Promise<void> {
    const { running } = this.meter;
    this.meter.pause();
    await this.count(event);
    if (running) this.meter.resume();
  }

  private async count(event: TrainEvent): Promise<void> {
    if (event.type === "step") {
      this.losses.push(event.loss);
      for (let part = 0; part < this.accumulation; part++) {
        const batch = await this.batches.at((event.step - 1) * this.accumulation + part);
        this.meter.add({ examples: batch.examples, tokens: tokensOf(batch), flops: this.flops(batch) });
      }
    }
    if (event.type !== "score") return;
    const { step, scores } = event;
    const loss = this.losses.reduce((a, b) => a + b, 0) / this.losses.length;
    this.points.push({ step, score: scores["accuracy"]!, ...(this.losses.length && { loss }), ...this.meter.cost() });
    this.losses = [];
  }

  /** Floating-point operations of a step on a batch, counted once for each program. */
  private flops(batch: Batch): number {
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
