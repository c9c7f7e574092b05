/** What a run of a program spends its time and its memory on. */
import type { Shape } from "../ir/index.js";

export interface Profile {
  /** Of one run: the median of those that were timed. */
  readonly milliseconds: number;
  /** In the order in which they run. */
  readonly instructions: readonly InstructionProfile[];
  readonly memory: MemoryProfile;
}

/** One call of a kernel. */
export interface InstructionProfile {
  readonly kernel: string;
  /** What it computes, inside a fused group too. */
  readonly ops: readonly string[];
  /** The line of the model that the costliest of them comes from, where the graph was `traced`. */
  readonly at?: string;
  /** Median over the runs. */
  readonly nanoseconds: number;
  /** What the ops say that they cost. */
  readonly flops: number;
  /** Sizes of what it reads and writes: an upper bound, since a part of a buffer, or one in the cache, counts whole. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** The memory of a run, beside inputs, outputs and kernels' scratch. */
export interface MemoryProfile {
  /** Parameters and what the optimiser remembers. */
  readonly stateBytes: number;
  /** What the plan takes for the run's values. */
  readonly arenaBytes: number;
  /** The most that values take at once, and the instruction that runs then. */
  readonly peakBytes: number;
  readonly peakAt: number;
  /** The values that are there then, the largest first. */
  readonly held: readonly HeldValue[];
}
export interface HeldValue {
  readonly op: string;
  readonly shape: Shape;
  readonly bytes: number;
  readonly at?: string;
}
