/** What the machine can do at most, measured: what a profile's rates are shares of. */
import { nd, type Program, param } from "../../ir/index.js";
import "../../ops/index.js";
import { loadAddon } from "./addon.js";
import { native } from "./engine.js";

export interface Peaks {
  /** Single-precision multiply-adds in registers, each counting two, in GFLOP/s. */
  readonly gigaflops: number;
  /** Reading and writing memory that no cache holds, both counted, in GB/s. */
  readonly gigabytes: number;
}

const elements = 2 ** 24;

/** The native engine's best of `threads` threads, in half a second. Throws `engine` where it does not load. */
export async function peaks(threads: number): Promise<Peaks> {
  const from = param("from", [elements], () => new Float32Array(elements));
  const program: Program = { outputs: {}, next: { to: from.neg() } };
  await using session = await native.open(new Map([["from", nd("f32", [elements], 1)]]), { threads });
  await session.write("to", nd("f32", [elements], 0));
  await session.run(program);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5; run++) {
    const start = performance.now();
    await session.run(program);
    best = Math.min(best, performance.now() - start);
  }
  return { gigaflops: loadAddon().addon!.peak(threads), gigabytes: (2 * 4 * elements) / best / 1e6 };
}
