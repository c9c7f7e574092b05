/** The machine's single-precision rate, measured: what a step's speed is a share of. */
import { f32, input, type Nd, nd, type Program, type Tensor } from "../ir/index.js";
import "../ops/index.js";
import { ort } from "./ort.js";

const width = 1024;
const products = 4;

/** The best of several runs of square f32 matrix products on the ort engine, in GFLOP/s. Takes about half a second. */
export async function peak(threads?: number): Promise<number> {
  const x = input("x", f32([width, width]));
  let y: Tensor = x;
  for (let i = 0; i < products; i++) y = y.matmul(x);
  // one element comes back, so that moving the result is no part of the measure
  const program: Program = { outputs: { y: y.slice(0, 0, 1).slice(1, 0, 1) }, next: {} };
  const feeds: Record<string, Nd> = { x: nd("f32", [width, width], 1 / width) };
  await using session = await ort.open(new Map(), threads ? { threads } : {});
  await session.run(program, feeds);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0, end = performance.now() + 500; run < 3 || performance.now() < end; run++) {
    const start = performance.now();
    await session.run(program, feeds);
    best = Math.min(best, performance.now() - start);
  }
  return (products * 2 * width ** 3) / best / 1e6;
}
