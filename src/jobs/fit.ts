/** The training job of a classifier, scored on held-out examples as it goes. */
import type { Batch, Batches } from "../data/index.js";
import { accuracy, loss, type Meter, macroF1, tally } from "../evaluate/index.js";
import { inputs, type Nd, nameOf, type Program } from "../ir/index.js";
import type { Engine, Session, State } from "../runtime/index.js";
import type { Job } from "../train/index.js";
import type { ResolvedAdapt } from "./adapt-options.js";
import type { Approach } from "./approach.js";
import { ratesOf } from "./optimizing.js";

export interface Fit {
  readonly approach: Approach;
  readonly options: ResolvedAdapt;
  readonly engine: Engine;
  /** First weights: the base's and a new head, or all new. */
  readonly state: State;
  readonly batches: Batches;
  /** Examples to score on, in order. */
  readonly held: Batches;
  readonly learningRate: number;
  readonly steps: number;
  readonly seed: number;
  /** Counts what training costs; evaluations are not in it. */
  readonly meter?: Meter;
  /** Called with the best weights in the session. */
  readonly save: (session: Session, folder: string) => Promise<void>;
}

/** How often a run is scored. */
const evaluations = 8;

/** The weights with the best accuracy on the held-out examples are kept. */
export function jobOfFit({ approach, options: o, meter, ...f }: Fit): Omit<Job, "folder"> {
  return {
    engine: f.engine,
    ...(o.threads !== undefined && { threads: o.threads }),
    ...(o.memory !== undefined && { memory: o.memory * 1e6 }),
    training: approach.training,
    state: f.state,
    batches: f.batches,
    steps: f.steps,
    schedule: ratesOf(o, f.learningRate, f.steps),
    accumulation: o.accumulation,
    seed: f.seed,
    async evaluate(session) {
      meter?.pause();
      const scores = await scoresOf(session, approach.scores, f.held);
      meter?.resume();
      return scores;
    },
    every: { evaluate: Math.max(1, Math.ceil(f.steps / evaluations)), save: o.saveEvery ?? 0 },
    best: { metric: "accuracy", goal: "max" },
    ...(o.patience !== undefined && { early: { metric: "accuracy", goal: "max", patience: o.patience } }),
    save: f.save,
  };
}

/** Accuracy, macro-F1 and mean loss over batches: sums and counts, whatever the batch size. */
export async function scoresOf(
  session: Session,
  program: (batch: Batch) => Program,
  held: Batches,
): Promise<Record<string, number>> {
  const scoring = openScoring(session, program);
  await scoring.add(held);
  return scoring.values();
}

/** Scores that batches are added to, one group after another. */
export interface Scoring {
  add(held: Batches): Promise<void>;
  /** Throws `labels` when nothing was scored. */
  values(): Record<string, number>;
}

/** Scores of nothing yet. */
export function openScoring(session: Session, program: (batch: Batch) => Program): Scoring {
  const answers = tally({ accuracy, macroF1: macroF1() });
  const losses = tally({ loss });
  return {
    async add(held) {
      for (let i = 0; i < held.perEpoch; i++) {
        const batch = await held.at(i);
        const out = await session.run(program(batch), only(batch.feeds, program(batch)));
        const { labels, weights } = batch.feeds as Record<string, Nd>;
        const known = weights!.data as Float32Array;
        answers.add({ labels: labels!.data as Int32Array, predictions: argmaxRows(out["logits"]!), weights: known });
        losses.add({ losses: out["losses"]!.data as Float32Array, weights: known });
      }
    },
    values: () => ({ ...answers.values(), ...losses.values() }),
  };
}

/** Those feeds that a program reads. */
export function only(feeds: Readonly<Record<string, Nd>>, program: Program): Record<string, Nd> {
  const names = new Set(inputs(program).map(nameOf));
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)));
}

/** The place of the largest number of each row of [B C]. */
function argmaxRows({ shape, data }: Nd): number[] {
  const [rows, columns] = shape as [number, number];
  return Array.from({ length: rows }, (_, b) => {
    let best = 0;
    for (let c = 1; c < columns; c++) if (data[b * columns + c]! > data[b * columns + best]!) best = c;
    return best;
  });
}
