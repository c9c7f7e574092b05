/** The training loop: a generator of events that saves, scores, stops early, and goes on exactly where it was. */
import { fail, type Nd, PlinthError } from "../ir/index.js";
import { loadBest, type Progress, prune, saveBest, saveCheckpoint } from "./checkpoint.js";
import type { StopReason, TrainEvent } from "./events.js";
import type { Goal, Job } from "./job.js";
import { begin, type Start } from "./start.js";
import { Stepper, type StepResult } from "./stepper.js";
import { Learning, requireFinite } from "./watch.js";

/**
 * Train, from the newest checkpoint in the job's folder where there is one; a run that was killed at any moment and trained
 * again ends with the same bits. Every event is in the folder's log before it is yielded. Throws `non-finite`, `no-gradient`,
 * `labels`, `disk`, `checkpoint`, `run`; what was saved before is then intact.
 */
export async function* train(job: Job): AsyncGenerator<TrainEvent, void, void> {
  const start = await begin(job);
  const { log } = job.folder;
  const run = new Run(job, start);
  try {
    await log.cutAfter(start.progress.step);
    for await (const event of run.events()) {
      log.append(event);
      yield event;
    }
    await log.sync();
  } catch (error) {
    if (error instanceof PlinthError && error.code !== "disk")
      log.append({ type: "failed", step: run.step, code: error.code, message: error.message });
    throw error;
  } finally {
    await start.session[Symbol.asyncDispose]();
  }
}

const due = (step: number, every: number | undefined): boolean => !!every && step % every === 0;

class Run {
  private progress: Progress;
  private saved: number;
  private readonly learning: Learning | undefined;
  private readonly stepper: Stepper;
  private readonly keep: number;
  /** The best weights, where no files are kept. */
  private readonly held = new Map<string, Nd>();

  constructor(
    private readonly job: Job,
    private readonly start: Start,
  ) {
    this.progress = start.progress;
    this.saved = start.resumed ? start.progress.step : -1;
    this.stepper = new Stepper(job, start.session);
    this.keep = job.keep ?? 2;
    this.learning = start.progress.step === 0 ? new Learning((name) => job.state.get(name)) : undefined;
  }

  get step(): number {
    return this.progress.step;
  }

  async *events(): AsyncGenerator<TrainEvent, void, void> {
    const { job, start } = this;
    const { parameters, trainable, preflight } = start;
    const { flopsPerStep } = preflight;
    const { step } = this.progress;
    for (const message of [...job.folder.warnings, ...start.warnings]) yield { type: "warning", step, message };
    const resumed = start.resumed ? { resumedFrom: step } : {};
    yield { type: "started", step, parameters, trainable, steps: job.steps, flopsPerStep, ...resumed, preflight };
    while (!this.ended) {
      if (job.signal?.aborted || this.progress.step >= (job.until ?? job.steps)) return yield* this.stop("interrupted");
      const result = await this.take();
      yield this.stepEvent(result);
      yield* this.afterStep();
    }
    yield* this.stop(this.isStale ? "early" : "finished");
  }

  private get ended(): boolean {
    return this.progress.step >= this.job.steps || this.isStale;
  }
  private get isStale(): boolean {
    const { early } = this.job;
    return early !== undefined && this.progress.early.bad >= early.patience;
  }

  private async take(): Promise<StepResult> {
    const { job, progress } = this;
    const step = progress.step + 1;
    const result = await this.stepper.take(step);
    const { batches, training, gradientNorms, learningRate, count, milliseconds } = result;
    await requireFinite(result, training, {
      folder: job.folder.path,
      step,
      batches,
      explain: () => this.stepper.explain(step, result),
    });
    await this.learning?.check(this.start.session, training, gradientNorms, learningRate);
    this.progress = {
      ...progress,
      step,
      cursor: step * progress.accumulation,
      learningRate,
      tokens: progress.tokens + count,
      milliseconds: progress.milliseconds + milliseconds,
      untrained: progress.untrained + batches.reduce((sum, batch) => sum + (batch.untrained ?? 0), 0),
    };
    return result;
  }

  private stepEvent({ loss, learningRate, count, gradientNorm, milliseconds, waited }: StepResult): TrainEvent {
    return {
      type: "step",
      step: this.progress.step,
      loss,
      learningRate,
      tokens: count,
      tokensPerSecond: (count / milliseconds) * 1000,
      gradientNorm,
      milliseconds,
      waitShare: waited / milliseconds,
    };
  }

  private async *afterStep(): AsyncGenerator<TrainEvent, void, void> {
    const { job } = this;
    const { step } = this.progress;
    const last = step === job.steps;
    if (job.evaluate && (last || due(step, job.every?.evaluate))) yield await this.score(step);
    if (job.sample && due(step, job.every?.sample))
      yield { type: "sample", step, text: await job.sample(this.start.session, step) };
    if (this.ended || due(step, job.every?.save)) yield* this.save();
  }

  private async score(step: number): Promise<TrainEvent> {
    const { job, start, progress } = this;
    const from = performance.now();
    const scores = await job.evaluate!(start.session, step);
    const milliseconds = performance.now() - from;
    const best = job.best !== undefined && isBetter(job.best, scores, progress.best?.score);
    if (best) {
      await this.keepBest(step);
      this.progress = { ...this.progress, best: { step, score: scores[job.best.metric]! } };
    }
    if (job.early) {
      const { early } = progress;
      const better = isBetter(job.early, scores, early.best?.score);
      const score = { step, score: scores[job.early.metric]! };
      this.progress = { ...this.progress, early: better ? { best: score, bad: 0 } : { ...early, bad: early.bad + 1 } };
    }
    return { type: "score", step, scores, best, milliseconds };
  }

  private async keepBest(step: number): Promise<void> {
    const { weights } = this.start;
    if (this.keep) await saveBest(this.job.folder.checkpoints, weights, step);
    else for (const name of weights.types.keys()) this.held.set(name, await weights.read(name));
  }

  private async restoreBest(step: number): Promise<void> {
    const write = (name: string, value: Nd) => this.start.session.write(name, value);
    if (this.keep) await loadBest(this.job.folder.checkpoints, step, write);
    else for (const [name, value] of this.held) await write(name, value);
  }

  private async *save(): AsyncGenerator<TrainEvent, void, void> {
    const { job, start, progress } = this;
    if (this.saved === progress.step || !this.keep) return;
    const from = performance.now();
    await job.folder.log.sync();
    const { path, bytes } = await saveCheckpoint(job.folder.checkpoints, start.changing, progress);
    this.saved = progress.step;
    await prune(job.folder.checkpoints, this.keep, progress.best?.step);
    yield { type: "saved", step: progress.step, path, bytes, milliseconds: performance.now() - from };
  }

  private async *stop(reason: StopReason): AsyncGenerator<TrainEvent, void, void> {
    const { job, start } = this;
    yield* this.save();
    const { step, best, tokens, milliseconds, untrained } = this.progress;
    const done = reason !== "interrupted";
    if (done && best && best.step !== step) await this.restoreBest(best.step);
    if (done) await job.save?.(start.session, job.folder.model);
    const resultStep = done ? (best?.step ?? step) : step;
    yield { type: "stopped", step, reason, resultStep, tokens, milliseconds, untrained };
  }
}

function isBetter({ metric, goal }: Goal, scores: Readonly<Record<string, number>>, than: number | undefined): boolean {
  const score = scores[metric];
  if (score === undefined)
    throw fail("config", `no score is called ${metric}`, `evaluate gives ${Object.keys(scores).join(", ") || "none"}`);
  return Number.isFinite(score) && (than === undefined || (goal === "min" ? score < than : score > than));
}
