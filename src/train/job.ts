/** A training job: everything that `train` is told. */
import type { Batch, Batches } from "../data/index.js";
import type { Training } from "../optim/index.js";
import type { Engine, Session, State } from "../runtime/index.js";
import type { RunFolder } from "./run-folder.js";

/** Better is smaller or larger. */
export interface Goal {
  /** One of the names that `evaluate` returns. */
  readonly metric: string;
  readonly goal: "min" | "max";
}

export interface Job {
  readonly engine: Engine;
  readonly threads?: number;
  /** Most bytes that a step's values may take beside the state, where the engine plans its memory. */
  readonly memory?: number;
  /** Programs for a batch; the same object for batches of the same shapes, since a program is compiled once. */
  readonly training: Training | ((batch: Batch) => Training);
  /** First weights, frozen ones too. What the optimiser remembers is added, where it is absent. */
  readonly state: State;
  readonly batches: Batches;
  /** Optimiser steps of the whole run. */
  readonly steps: number;
  /** The learning rate of a step; steps count from 1. */
  readonly schedule: (step: number) => number;
  /** Batches added up for one optimiser step; 1 by default. */
  readonly accumulation?: number;
  readonly seed: number;
  /** Scores of the weights as they are now. Must not change the state. */
  readonly evaluate?: (session: Session, step: number) => Promise<Readonly<Record<string, number>>>;
  /** Text written by the model as it is now. Must not change the state. */
  readonly sample?: (session: Session, step: number) => Promise<string>;
  /** After how many steps each happens; 0 or absent: evaluate and save at the end only, sample never. */
  readonly every?: { readonly evaluate?: number; readonly sample?: number; readonly save?: number };
  /** Keep the weights with the best score and end with them. */
  readonly best?: Goal;
  /** Stop after `patience` evaluations in a row without a better score. */
  readonly early?: Goal & { readonly patience: number };
  /** Floating-point operations of one optimiser step; counted from the programs by default. */
  readonly flopsPerStep?: number;
  /** What the machine can do, in GFLOP/s, where it was measured: gives the time that is predicted. */
  readonly peakGflops?: number;
  /** What a prediction that the run does not fit in memory or on disk means: an error, or a warning. */
  readonly preflight?: "error" | "warn";
  readonly folder: RunFolder;
  /** How many checkpoints to keep beside the best; 2 by default. 0: none, for short runs; the best weights are then held in memory. */
  readonly keep?: number;
  /** Aborting it saves a checkpoint after the current step and ends the run as interrupted. */
  readonly signal?: AbortSignal;
  /** Stop as interrupted after this step, as if the signal came then. */
  readonly until?: number;
  /** Called at the end with the final (or best) weights in the session, to write the model folder. */
  readonly save?: (session: Session, folder: string) => Promise<void>;
}
