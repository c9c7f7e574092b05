/** Functions with parameters: linear maps, norms, dropout. */
import type { Init, Scope, Tensor } from "../ir/index.js";
import * as ops from "../ops/index.js";
import { normal, ones, zeros } from "./init.js";
import { streamOf } from "./random.js";

/** How a public checkpoint stores a linear map: `[in, out]` (GPT-2's Conv1D) or `[out, in]` (PyTorch's Linear). */
export type Layout = "in-out" | "out-in";

/** `x W + b` over the last axis: parameters `weight` and, unless `bias` is false, `bias`. */
export function linear(
  p: Scope,
  x: Tensor,
  outputSize: number,
  { layout = "out-in", init = normal(0.02), bias = true }: { layout?: Layout; init?: Init; bias?: boolean } = {},
): Tensor {
  const inputSize = x.shape.at(-1)!;
  const y =
    layout === "in-out"
      ? x.matmul(p.param("weight", [inputSize, outputSize], init))
      : x.matmul(p.param("weight", [outputSize, inputSize], init).T);
  return bias ? y.add(p.param("bias", [outputSize], zeros)) : y;
}

/** Mean 0 and variance 1 over the last axis, then a learned gain and offset: `weight`, `bias` (Ba et al. 2016). */
export function layerNorm(p: Scope, x: Tensor, epsilon = 1e-5): Tensor {
  const shape = [x.shape.at(-1)!];
  return ops.layerNorm(x, p.param("weight", shape, ones), p.param("bias", shape, zeros), { epsilon })[0];
}

/** Root mean square 1 over the last axis, then a learned gain: `weight` (Zhang and Sennrich 2019). */
export function rmsNorm(p: Scope, x: Tensor, epsilon = 1e-5): Tensor {
  return ops.rmsNorm(x, p.param("weight", [x.shape.at(-1)!], ones), { epsilon })[0];
}

/** What makes dropout random: absent, nothing is dropped. `seed` is a u32 scalar fed at each step. */
export interface Noise {
  readonly seed: Tensor;
}

/** Each element zeroed with probability `rate`, the rest scaled up to keep the mean; the scope's path is the stream (Srivastava et al. 2014). */
export function dropout(p: Scope, x: Tensor, { rate, noise }: { rate: number; noise: Noise | undefined }): Tensor {
  return noise && rate > 0 ? ops.dropout(x, noise.seed, { rate, stream: streamOf(p.path) }) : x;
}
