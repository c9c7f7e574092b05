/** A training job: everything that `train` is told. */
import type { Nd } from "../ir/index.js";
import type { Training } from "../optim/index.js";
import type { Engine, Session, State } from "../runtime/index.js";
import type { RunFolder } from "./run-folder.js";

/** What one step learns from. */
export interface TrainBatch {
  readonly feeds: Readonly<Record<string, Nd>>;
  /** Trained tokens. */
  readonly tokens: number;
  readonly examples: number;
  readonly ids?: readonly string[];
  /** How many of its examples have no trained token. */
  readonly untrained?: number;
}

/** A source of batches: the same index gives the same batch, so an index is all that a checkpoint keeps. */
export interface BatchSource {
  at(index: number): TrainBatch | Promise<TrainBatch>;
}

/** Better is smaller or larger. */
export interface Goal {
  /** One of the names that `evaluate` returns. */
  readonly metric: string;
  readonly goal: "min" | "max";
}

export interface Job {
  readonly engine: Engine;
  readonly threads?: number;
  /** Programs for a batch; the same object for batches of the same shapes, since a program is compiled once. */
  readonly training: Training | ((batch: TrainBatch) => Training);
  /** First weights, frozen ones too. What the optimiser remembers is added, where it is absent. */
  readonly state: State;
  readonly batches: BatchSource;
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
  readonly flopsPerStep?: number;
  readonly folder: RunFolder;
  /** How many checkpoints to keep beside the best; 2 by default. */
  readonly keep?: number;
  /** Aborting it saves a checkpoint after the current step and ends the run as interrupted. */
  readonly signal?: AbortSignal;
  /** Stop as interrupted after this step, as if the signal came then. */
  readonly until?: number;
  /** Called at the end with the final (or best) weights in the session, to write the model folder. */
  readonly save?: (session: Session, folder: string) => Promise<void>;
}
