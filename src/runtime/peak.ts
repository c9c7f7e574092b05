/** The machine's single-precision rate, measured: what a step's speed is a share of. */
import { availableParallelism } from "node:os";
import { f32, input, type Nd, nd, type Program, type Tensor } from "../ir/index.js";
import "../ops/index.js";
import { loadAddon } from "./native/addon.js";
import { ort } from "./ort.js";

const width = 1024;
const products = 4;

/**
 * GFLOP/s of multiply-adds in registers, by the native engine, in a tenth of a second; where that is not built, the best of several
 * square f32 matrix products on the ort engine, in half a second.
 */
export async function peak(threads?: number): Promise<number> {
  const { addon } = loadAddon();
  return addon ? addon.peak(threads ?? availableParallelism()) : ofProducts(threads);
}

async function ofProducts(threads?: number): Promise<number> {
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
