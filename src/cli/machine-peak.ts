/** The machine's measured single-precision rate, to show a step's share of it. */
import { peak } from "../runtime/index.js";

/** GFLOP/s of `threads` threads, or undefined on an engine that is not built for speed. Takes about a second. */
export const machinePeak = (engine: string, threads?: number): Promise<number | undefined> =>
  engine === "reference" ? Promise.resolve(undefined) : peak(threads).catch(() => undefined);
