/** What a report tells: facts already gathered, so that a run, a quickstart and a comparison are told the same way. */
import type { DoctorReport } from "../data/index.js";
import type { Cost, Curve } from "./curve.js";
import type { Table } from "./table.js";

/** One training run, as its folder records it. */
export interface RunFacts {
  readonly name: string;
  /** What it was for, in words: "pre-train", "adapt (lora)". */
  readonly purpose: string;
  /** The model, in words: "gpt, 3.4 M parameters". */
  readonly model?: string;
  readonly parameters?: number;
  readonly trainableParameters?: number;
  readonly seed?: number;
  readonly steps: number;
  /** "finished", "early", "interrupted", "stopped by an error", "running". */
  readonly ended: string;
  /** Training loss in nats, by step. */
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  /** Held-out scores by name, by step. */
  readonly scores: readonly { readonly step: number; readonly scores: Readonly<Record<string, number>> }[];
  /** The scores of the weights that were kept. */
  readonly result?: Readonly<Record<string, number>>;
  /** Text the model wrote along training. */
  readonly samples: readonly { readonly step: number; readonly text: string }[];
  readonly cost: Partial<Cost>;
  readonly tokensPerSecond?: number;
  /** Share of the machine's measured peak that training reached, 0 to 1. */
  readonly shareOfPeak?: number;
  readonly peakBytes?: number;
  readonly warnings: readonly string[];
  readonly folder?: string;
}

/** A part of the data. */
export interface DataFacts {
  readonly name: string;
  /** What it was used for: "pre-training", "labelled", "validation", "test". */
  readonly use: string;
  readonly examples: number;
  readonly tokens?: number;
  readonly bytes?: number;
  readonly note?: string;
}

/** A true example and what each network made of it. */
export interface PredictionFacts {
  readonly text: string;
  readonly label: string;
  readonly adapted?: string;
  readonly scratch?: string;
}

/** The machine and the programs, as name and value, in the order to print. */
export type Environment = Readonly<Record<string, string>>;

/** Everything a report may tell; what is absent is left out. */
export interface ReportFacts {
  readonly title: string;
  /** When it was written. */
  readonly date: Date;
  /** The command that makes it again. */
  readonly command?: string;
  /** The curve that the headline is about. */
  readonly curve?: Curve;
  /** Several curves side by side. */
  readonly curves?: readonly { readonly name: string; readonly curve: Curve }[];
  readonly runs?: readonly RunFacts[];
  readonly data?: readonly DataFacts[];
  readonly doctor?: DoctorReport;
  readonly predictions?: readonly PredictionFacts[];
  /** More tables, told after the runs. */
  readonly tables?: readonly Table[];
  readonly environment?: Environment;
  /** Honest limits beyond those that follow from the facts. */
  readonly limits?: readonly string[];
}
