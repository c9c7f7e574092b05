/** Numpy's broadcasting: the common shape of two, and how to read one as if it had it. */
import { type Exact, fail, type Shape, show, size, type Type } from "../ir/index.js";

/** The common shape of two that broadcast. Throws when an axis differs and neither is 1. */
export function broadcast(name: string, a: Type, b: Type): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a.shape[i - rank + a.shape.length] ?? 1;
    const n = b.shape[i - rank + b.shape.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1)
      throw fail(
        "shape",
        `${name}: ${show(a)} and ${show(b)} differ on axis ${i}: ${m} against ${n}`,
        "reshape one of them so that the axis is 1",
      );
    return m === 1 ? n : m;
  });
}

export function sameDtype(name: string, a: Type, b: Type): void {
  if (a.dtype !== b.dtype) throw fail("dtype", `${name}: ${show(a)} and ${show(b)} differ in type`, "cast one of them");
}

/** Row-major strides. */
export const strides = (shape: Shape): number[] => shape.map((_, d) => size(shape.slice(d + 1)));

/** For each element of `shape`, row-major, the flat index into a value whose axes step by `steps`. */
export function indices(shape: Shape, steps: readonly number[]): Int32Array {
  const n = size(shape);
  const out = new Int32Array(n);
  const counter = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = 0; i < n; i++) {
    out[i] = at;
    for (let d = shape.length - 1; d >= 0; d--) {
      at += steps[d]!;
      if (++counter[d]! < shape[d]!) break;
      at -= steps[d]! * shape[d]!;
      counter[d] = 0;
    }
  }
  return out;
}

/** `x` repeated to `shape`, in float64. */
export function expanded(x: Exact, shape: Shape): Float64Array {
  if (x.data.length === size(shape)) return x.data;
  if (x.data.length === 1) return new Float64Array(size(shape)).fill(x.data[0]!);
  const own = strides(x.shape);
  const lead = shape.length - x.shape.length;
  const steps = shape.map((_, d) => (d < lead || x.shape[d - lead] === 1 ? 0 : own[d - lead]!));
  return Float64Array.from(indices(shape, steps), (i) => x.data[i]!);
}
