/** One optimiser step: its batches fetched while the one before computes, its programs run, its numbers read. */
import { type Batch, hash, type Prefetched, prefetch } from "../data/index.js";
import { fail, inputs, type Nd, nameOf, nd, type Program } from "../ir/index.js";
import type { Training } from "../optim/index.js";
import type { RunOptions, Session } from "../runtime/index.js";
import type { Job } from "./job.js";
import { firstNonFinite } from "./trace.js";
import type { Outcome } from "./watch.js";

/** What a step did. */
export interface StepResult extends Outcome {
  readonly batches: readonly Batch[];
  readonly training: Training;
  readonly learningRate: number;
  readonly milliseconds: number;
  /** Of these, how many were spent waiting for data. */
  readonly waited: number;
}

/** Runs the steps of a job in a session. */
export class Stepper {
  private readonly batches: Prefetched;
  private readonly wanted = new Map<Program, readonly string[]>();
  private readonly accumulation: number;

  constructor(
    private readonly job: Job,
    private readonly session: Session,
  ) {
    this.accumulation = job.accumulation ?? 1;
    this.batches = prefetch(job.batches);
  }

  /** Take optimiser step `step`, counting from 1. Throws `labels` when none of its examples has a trained token. */
  async take(step: number): Promise<StepResult> {
    const { job, accumulation } = this;
    const start = performance.now();
    const batches: Batch[] = [];
    let waited = 0;
    let training: Training | undefined;
    let outputs: Readonly<Record<string, Nd>> = {};
    for (let part = 0; part < accumulation; part++) {
      const index = (step - 1) * accumulation + part;
      const asked = performance.now();
      const batch = await this.batches.at(index);
      waited += performance.now() - asked;
      batches.push(batch);
      if (part === accumulation - 1) requireTrained(step, batches);
      training = typeof job.training === "function" ? job.training(batch) : job.training;
      const feeds = this.feeds(step, index, batch);
      // what is not finite stays in the sums of an accumulation, so that the update sees it
      outputs = await (accumulation === 1 ? this.update(training.step, feeds) : this.run(training.accumulate, feeds));
    }
    if (accumulation > 1) outputs = await this.update(training!.apply, this.feeds(step, 0, batches[0]!));
    const number = (name: string) => Number(outputs[name]!.data[0]);
    return {
      loss: number("loss"),
      count: number("count"),
      gradientNorm: number("gradientNorm"),
      gradientNorms: outputs["gradientNorms"]!.data as Float32Array,
      batches,
      training: training!,
      learningRate: job.schedule(step),
      milliseconds: performance.now() - start,
      waited,
    };
  }

  /** What the step's programs made of its batches that is not finite: it left the weights as they were before it. */
  async explain(step: number, { batches, training }: StepResult): Promise<string | undefined> {
    const program = this.accumulation === 1 ? training.step : training.accumulate;
    for (const [part, batch] of batches.entries()) {
      const feeds = this.feeds(step, (step - 1) * this.accumulation + part, batch);
      const found = await firstNonFinite(this.session, program, { feeds, except: training.accumulators });
      if (found) return found;
    }
    return undefined;
  }

  private feeds(step: number, index: number, batch: Batch): Readonly<Record<string, Nd>> {
    const { seed, schedule } = this.job;
    return {
      ...batch.feeds,
      learningRate: nd("f32", [], schedule(step)),
      step: nd("f32", [], step),
      // random numbers are a function of the run's seed and the batch's index: there is no state to keep
      seed: nd("u32", [], hash(seed, index)),
    };
  }

  /** A program that changes the weights, unless its loss or its gradient is not finite. */
  private update = (program: Program, feeds: Readonly<Record<string, Nd>>) =>
    this.run(program, feeds, { guarded: true });

  /** Run a program with those feeds that it asks for: not every model uses every one that a data set can give. */
  private run(
    program: Program,
    feeds: Readonly<Record<string, Nd>>,
    options?: RunOptions,
  ): Promise<Readonly<Record<string, Nd>>> {
    const names = this.wanted.get(program) ?? inputs(program).map(nameOf);
    this.wanted.set(program, names);
    const chosen = Object.fromEntries(names.flatMap((name) => (feeds[name] ? [[name, feeds[name]]] : [])));
    return this.session.run(program, chosen, options);
  }
}

function requireTrained(step: number, batches: readonly Batch[]): void {
  if (batches.some((batch) => batch.tokens > 0)) return;
  const ids = batches.flatMap((batch) => batch.ids ?? []).slice(0, 3);
  throw fail(
    "labels",
    `step ${step}: no example in its batch has a trained token${ids.length ? ` (${ids.join(", ")})` : ""}`,
    "run the doctor on the data: labels may be masked, empty, or cut off by the context length",
  );
}
