/** One vector from a row of vectors. */
import { constant, f32, scalar, type Tensor } from "../ir/index.js";
import { concat, where } from "../ops/index.js";
import type { Pooling } from "./family.js";

/** Ways to make one vector of those of a row's tokens, without parameters. */
export type TokenPooling = Pooling | "max";

/** [B T D] -> [B D]: the mean over tokens whose segment is not 0, their largest numbers, the last of them, or the row's first token. */
export function pool(hidden: Tensor, segments: Tensor, pooling: TokenPooling): Tensor {
  const [B, T, D] = hidden.dims("B T D");
  if (pooling === "cls") return hidden.slice(1, 0, 1).reshape([B, D]);
  if (pooling === "max") return where(segments.greater(0).reshape([B, T, 1]), hidden, scalar(-1e9)).max([1]);
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
