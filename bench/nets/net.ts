/** A network's training step as a benchmark runs it. */
import type { Nd, Program } from "../../src/ir/index.js";

export interface Net {
  readonly program: Program;
  readonly state: ReadonlyMap<string, Nd>;
  /** Fed at every step, beside `step` where the program asks for it. */
  readonly data: Readonly<Record<string, Nd>>;
}

/** Whole numbers below `bound`, the same on every run. */
export function integers(length: number, bound: number): Int32Array {
  let state = 1;
  return Int32Array.from({ length }, () => {
    // Park and Miller's generator
    state = (state * 48_271) % 2_147_483_647;
    return state % bound;
  });
}
