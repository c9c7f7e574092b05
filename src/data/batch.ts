/** What a training loop asks of data: a batch for an index, the same one every time. */
import type { Nd } from "../ir/index.js";
import { permutation } from "./random.js";

export interface Batch {
  readonly feeds: Readonly<Record<string, Nd>>;
  /** Tokens (or labels) that are learnt from: those with weight 1. */
  readonly tokens: number;
  /** Rows that are not filler. */
  readonly examples: number;
  /** The ids of its examples, where they have one. */
  readonly ids?: readonly string[];
  /** How many of its examples have nothing to learn from. */
  readonly untrained?: number;
}

export interface Batches {
  /** Pure: the same index gives the same batch, so the index is the whole cursor. */
  at(index: number): Batch | Promise<Batch>;
  /** Batches in which every example has come once. */
  readonly perEpoch: number;
}

/** Batches read from token shards. */
export interface CorpusBatches extends Batches {
  /** Rows of one context in the corpus. */
  readonly rows: number;
  close(): void;
}

/** One row of a batch: which example, in which pass over the data; undefined fills up the last batch of an evaluation. */
export interface Place {
  readonly row: number;
  readonly epoch: number;
}

/**
 * Which examples batch `index` holds. With a seed, every epoch is its own random order and batches run on across epochs, so
 * none is short; without, the order is the data's and the last batch has gaps.
 */
export function placesOf(index: number, o: { rows: number; batchSize: number; seed?: number }): (Place | undefined)[] {
  const { rows, batchSize, seed } = o;
  return Array.from({ length: batchSize }, (_, b) => {
    if (seed === undefined) {
      const row = (index % Math.ceil(rows / batchSize)) * batchSize + b;
      return row < rows ? { row, epoch: 0 } : undefined;
    }
    const at = index * batchSize + b;
    const epoch = Math.floor(at / rows);
    return { row: permutation(rows, seed, epoch)(at % rows), epoch };
  });
}
