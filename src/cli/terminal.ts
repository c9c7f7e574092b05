/** Training as it happens: one redrawn line on a terminal, plain lines elsewhere, JSON lines for programs. */

import type { TrainEvent } from "../train/index.js";
import type { Context } from "./command.js";

export interface ProgressOptions {
  /** What is being done, before the bar. */
  readonly label: string;
  /** What a step's `tokens` counts: tokens, or examples of a classifier. */
  readonly unit?: string;
  /** Measured single-precision rate of the machine, in GFLOP/s; absent: no share is shown. */
  readonly peakGigaflops?: number | undefined;
  /** What an event is as JSON; the event itself if absent. */
  readonly json?: (event: TrainEvent) => unknown;
  /** Seconds between plain lines where there is no terminal. */
  readonly seconds?: number;
  /** Milliseconds now; for tests. */
  readonly now?: () => number;
}

type Started = Extract<TrainEvent, { type: "started" }>;
type Step = Extract<TrainEvent, { type: "step" }>;
export type Stopped = Extract<TrainEvent, { type: "stopped" }>;

const whole = (n: number) => Math.round(n).toLocaleString("en-US");

/** `1 h 05 min`, `3 min 20 s`, `12 s`. */
function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return s >= 60 ? `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s` : `${s} s`;
}

/** `1.9 GB`, `620 MB`, `4 kB`. */
export const bytes = (n: number): string =>
  n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : n >= 1e6 ? `${Math.round(n / 1e6)} MB` : `${Math.ceil(n / 1e3)} kB`;

const bar = (share: number, width: number) => {
  const full = Math.round(Math.min(1, share) * width);
  return `${"━".repeat(full)}${"─".repeat(width - full)}`;
};

/** How one stream of training events is drawn on a context. */
function painter(context: Context, options: ProgressOptions): (event: TrainEvent) => void {
  const now = options.now ?? (() => performance.now());
  // a redrawn line is read about ten times a second at most
  const pause = context.interactive ? 100 : (options.seconds ?? 10) * 1000;
  let started: Started | undefined;
  let begun = now();
  let shown = Number.NEGATIVE_INFINITY;
  let since: Step[] = [];

  const left = (step: number, steps: number): string => {
    const done = step - (started?.resumedFrom ?? 0);
    const seconds = (now() - begun) / 1000;
    return done > 0 && step < steps ? `${duration((seconds / done) * (steps - step))} left` : "";
  };
  const onTerminal = (step: number, steps: number, parts: readonly string[]) => {
    const head = `${options.label} ${step}/${steps}`;
    const tail = fitting(parts, context.width - head.length - 2);
    const room = context.width - head.length - tail.length - 3;
    context.redraw(`${head} ${room >= 8 ? `${bar(step / steps, Math.min(30, room))} ` : ""}${tail}`);
  };
  const onStep = (event: Step) => {
    const steps = started?.steps ?? event.step;
    since.push(event);
    if (now() - shown < pause && event.step < steps) return;
    // in order of worth: what does not fit on the line is left out from the end
    const parts = [...average(since, started?.flopsPerStep ?? 0, options), left(event.step, steps)];
    since = [];
    shown = now();
    if (context.interactive) onTerminal(event.step, steps, parts.filter(Boolean));
    else context.note([`step ${event.step}/${steps}`, ...parts].filter(Boolean).join("  "));
  };
  return (event) => {
    if (event.type === "step") return onStep(event);
    if (event.type === "started") {
      started = event;
      begun = now();
    }
    context.note(line(event));
  };
}

/** Loss, speed and share of the peak, over the steps since the last line. */
function average(steps: readonly Step[], flops: number, { peakGigaflops: peak, unit }: ProgressOptions): string[] {
  const sum = (value: (step: Step) => number) => steps.reduce((total, step) => total + value(step), 0);
  const [tokens, milliseconds] = [sum((s) => s.tokens), sum((s) => s.milliseconds)];
  const share =
    peak && flops ? [`${Math.round(((flops * steps.length) / milliseconds / 1e6 / peak) * 100)} % of peak`] : [];
  const loss = (sum((s) => s.loss * s.tokens) / tokens).toFixed(3);
  return [`loss ${loss}`, `${whole((tokens / milliseconds) * 1000)} ${unit ?? "tokens"}/s`, ...share];
}

/** What the preflight predicts, in one line. */
function needs({ step, steps, preflight: { memory, disk, millisecondsPerStep } }: Started): string {
  const time = millisecondsPerStep === undefined ? "" : `, ${duration(((steps - step) * millisecondsPerStep) / 1000)}`;
  return `about ${bytes(memory)} of memory, ${bytes(disk)} on disk${time}`;
}

/** An event other than a step, in one line. */
function line(event: Exclude<TrainEvent, Step>): string {
  const at = `step ${event.step}  `;
  switch (event.type) {
    case "started": {
      const from = event.resumedFrom === undefined ? "" : `, going on from step ${event.resumedFrom}`;
      const learning = event.trainable === event.parameters ? "" : `, ${whole(event.trainable)} of them trained`;
      const run = `${whole(event.parameters)} parameters${learning}; ${whole(event.steps)} steps${from}`;
      return `${run}\n${needs(event)}`;
    }
    case "score": {
      const scores = Object.entries(event.scores).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
      return `${at}${scores.join("  ")}${event.best ? "  (best so far)" : ""}`;
    }
    case "sample":
      return `${at}sample: ${event.text.replace(/\s*\n\s*/g, " / ")}`;
    case "saved":
      return `${at}saved ${event.path} (${bytes(event.bytes)})`;
    case "warning":
      return `${at}warning: ${event.message}`;
    case "failed":
      return `${at}failed: ${event.message}`;
    case "stopped":
      return stopLine(event);
  }
}

function fitting(parts: readonly string[], room: number): string {
  const kept: string[] = [];
  for (const part of parts) {
    if ([...kept, part].join("  ").length > room) break;
    kept.push(part);
  }
  return kept.join("  ");
}

const reasons = {
  finished: "finished",
  early: "stopped early, no better score for a while,",
  interrupted: "interrupted",
} as const;

function stopLine({ reason, step, resultStep, tokens, milliseconds }: Stopped): string {
  const kept = resultStep === step ? "" : `; the weights of step ${resultStep} are kept, the best ones`;
  return `${reasons[reason]} at step ${step}: ${whole(tokens)} tokens in ${duration(milliseconds / 1000)}${kept}`;
}

/** Show a run's events as they come, and return how it stopped. Under `--json` each event is a line of JSON. */
export async function follow(
  events: AsyncIterable<TrainEvent>,
  context: Context,
  options: ProgressOptions,
): Promise<Stopped | undefined> {
  const show = painter(context, options);
  let stopped: Stopped | undefined;
  for await (const event of events) {
    if (context.json) context.emit(options.json ? options.json(event) : event);
    else show(event);
    if (event.type === "stopped") stopped = event;
  }
  return stopped;
}
