/** Learning-rate schedules: pure functions from the step to the learning rate. */
import { fail } from "../ir/index.js";

interface Shape {
  readonly summary: string;
  readonly paper: string;
  /** Share of the way from the final to the peak rate, `done` of the way (0 to 1) from the end of warm-up to the last step. */
  share(done: number, decayShare: number): number;
}

/** Every schedule, by what it does after warming up. */
export const schedules = {
  constant: { summary: "stays at its peak", paper: "Robbins and Monro 1951", share: () => 1 },
  linear: { summary: "falls in a straight line", paper: "Devlin et al. 2019, BERT", share: (done) => 1 - done },
  cosine: {
    summary: "falls along half a cosine",
    paper: "Loshchilov and Hutter 2017, SGDR",
    share: (done) => (1 + Math.cos(Math.PI * done)) / 2,
  },
  "warmup-stable-decay": {
    summary: "stays at its peak, then falls in a straight line over the last steps",
    paper: "Hu et al. 2024, MiniCPM",
    share: (done, decayShare) => Math.min(1, (1 - done) / decayShare),
  },
} satisfies Record<string, Shape>;
export type ScheduleKind = keyof typeof schedules;

export interface ScheduleOptions {
  readonly kind: ScheduleKind;
  /** The highest learning rate, reached when warm-up ends. */
  readonly learningRate: number;
  /** How many steps the run has. */
  readonly steps: number;
  /** Steps over which the rate rises in a straight line from nothing; 0 by default. */
  readonly warmupSteps?: number;
  /** What the rate falls to, as a share of its peak; 0 by default. */
  readonly finalShare?: number;
  /** Of warmup-stable-decay: how many of the last steps fall; a fifth of the steps by default. */
  readonly decaySteps?: number;
}

/**
 * The learning rate at each step. Steps count from 1; no step has a rate of 0, so that none is wasted; past the last step the rate stays.
 * Throws `config` on an unknown kind, or on steps that do not fit.
 */
export function schedule(options: ScheduleOptions): (step: number) => number {
  const { kind, learningRate, steps, warmupSteps = 0, finalShare = 0, decaySteps = Math.ceil(steps / 5) } = options;
  const shape: Shape | undefined = Object.hasOwn(schedules, kind) ? schedules[kind] : undefined;
  if (!shape) throw fail("config", `no schedule ${kind}`, `one of ${Object.keys(schedules).join(", ")}`);
  if (!(learningRate > 0 && Number.isFinite(learningRate)))
    throw fail("config", `learningRate is ${learningRate}`, "give a number above 0");
  if (!(warmupSteps >= 0 && warmupSteps <= steps))
    throw fail("config", `warmupSteps is ${warmupSteps}, of ${steps} steps`, "warm up over a part of the run");
  if (!(decaySteps >= 0 && decaySteps <= steps))
    throw fail("config", `decaySteps is ${decaySteps}, of ${steps} steps`, "decay over a part of the run");
  if (!(finalShare >= 0 && finalShare <= 1))
    throw fail("config", `finalShare is ${finalShare}`, "give a share from 0 to 1");
  const falling = steps - warmupSteps + 1;
  return (step) => {
    if (step < warmupSteps) return (learningRate * step) / warmupSteps;
    const done = Math.min(step, steps) - warmupSteps;
    const share = shape.share(Math.max(done, 0) / falling, (decaySteps + 1) / falling);
    return learningRate * (finalShare + (1 - finalShare) * share);
  };
}
