/** What happens during training, as data: the progress bar, the log, the report and the tests read the same stream. */
import type { Preflight } from "./preflight.js";

/** Why a run ended. `interrupted`: asked to stop, a checkpoint is saved and the run can go on. */
export type StopReason = "finished" | "early" | "interrupted";

/** One thing that happened, after `step` optimiser steps. Times are in milliseconds, sizes in bytes. */
export type TrainEvent =
  | {
      readonly type: "started";
      readonly step: number;
      /** Numbers in all parameters, and in those that learn. */
      readonly parameters: number;
      readonly trainable: number;
      readonly steps: number;
      /** Floating-point operations of one optimiser step. */
      readonly flopsPerStep: number;
      /** The step of the checkpoint that the run goes on from; absent in a fresh run. */
      readonly resumedFrom?: number;
      /** What the run is predicted to need. */
      readonly preflight: Preflight;
    }
  | {
      readonly type: "step";
      readonly step: number;
      /** Summed over the step's trained tokens, divided by their number. */
      readonly loss: number;
      readonly learningRate: number;
      /** Trained tokens (labelled examples, for a classifier) in this step. */
      readonly tokens: number;
      readonly tokensPerSecond: number;
      /** Euclidean length of the whole gradient, before clipping. */
      readonly gradientNorm: number;
      readonly milliseconds: number;
      /** Share of the step's time spent waiting for data. */
      readonly waitShare: number;
    }
  | {
      readonly type: "score";
      readonly step: number;
      readonly scores: Readonly<Record<string, number>>;
      /** Whether these are the best scores so far. */
      readonly best: boolean;
      readonly milliseconds: number;
    }
  | { readonly type: "sample"; readonly step: number; readonly text: string }
  | {
      readonly type: "saved";
      readonly step: number;
      readonly path: string;
      readonly bytes: number;
      readonly milliseconds: number;
    }
  | { readonly type: "warning"; readonly step: number; readonly message: string }
  | {
      /** Only in the log: the generator throws the error itself. */
      readonly type: "failed";
      readonly step: number;
      readonly code: string;
      readonly message: string;
    }
  | {
      readonly type: "stopped";
      readonly step: number;
      readonly reason: StopReason;
      /** The step whose weights are the result: the best one, where a metric says which, else the last. */
      readonly resultStep: number;
      /** Trained tokens and milliseconds of all steps, those before an interruption included. */
      readonly tokens: number;
      readonly milliseconds: number;
      /** Examples met that had no trained token, over all steps. */
      readonly untrained: number;
    };
