/** One vector from a row of vectors. */
import { constant, f32, type Tensor } from "../ir/index.js";
import { concat } from "../ops/index.js";
import type { Pooling } from "./family.js";

/** [B T D] -> [B D]: the mean over tokens whose segment is not 0, the last of them, or the row's first token. */
export function pool(hidden: Tensor, segments: Tensor, pooling: Pooling): Tensor {
  const [B, T, D] = hidden.dims("B T D");
  if (pooling === "cls") return hidden.slice(1, 0, 1).reshape([B, D]);
  const real = segments.greater(0).cast("f32");
  const weights = pooling === "mean" ? real.div(real.sum([1], { keep: true }).maximum(1)) : lastOf(real);
  return weights.reshape([B, 1, T]).matmul(hidden).reshape([B, D]);
}

/** 1 at the last real token of each row: it is real, and the next is not. */
function lastOf(real: Tensor): Tensor {
  const [B, T] = real.dims("B T");
  if (T === 1) return real;
  const next = concat([real.slice(1, 1, T), constant(0, f32([B, 1]))], 1);
  return real.sub(real.mul(next));
}
