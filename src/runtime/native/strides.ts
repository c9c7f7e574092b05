/** Arithmetic on shapes and strides: when the same elements can be seen in another shape without being moved. */
import { type Shape, size } from "../../ir/index.js";

export interface Strided {
  readonly shape: Shape;
  readonly strides: readonly number[];
}

/** Strides of the same elements in another shape, or undefined where no strides do it. */
export function reshaped({ shape, strides }: Strided, to: Shape): number[] | undefined {
  if (size(shape) === 0) return to.map(() => 0);
  const from = shape.map((n, d) => [n, strides[d]!] as const).filter(([n]) => n !== 1);
  const result: number[] = [];
  let at = 0;
  for (const [first, last] of chunks(
    from.map(([n]) => n),
    to.filter((n) => n !== 1),
  )) {
    const run = from.slice(at, at + first.length);
    at += first.length;
    // within a run the elements must follow one another
    if (run.slice(1).some(([n, stride], i) => run[i]![1] !== n * stride)) return undefined;
    let stride = run.at(-1)?.[1] ?? 0;
    const own = last.map(() => 0);
    for (let d = last.length - 1; d >= 0; d--) {
      own[d] = stride;
      stride *= last[d]!;
    }
    result.push(...own);
  }
  const dense = to.filter((n) => n !== 1).length;
  if (result.length !== dense) return undefined;
  let next = 0;
  return to.map((n) => (n === 1 ? 0 : result[next++]!));
}

/** Cut two shapes of one size into the shortest runs of equal size: `[6, 4]` and `[2, 3, 4]` into `[6]`-`[2, 3]` and `[4]`-`[4]`. */
function chunks(a: Shape, b: Shape): [Shape, Shape][] {
  const found: [Shape, Shape][] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const [startA, startB] = [i, j];
    let [x, y] = [a[i++] ?? 1, b[j++] ?? 1];
    while (x !== y) {
      if (x < y) x *= a[i++] ?? 1;
      else y *= b[j++] ?? 1;
      if (i > a.length + 1 || j > b.length + 1) break;
    }
    found.push([a.slice(startA, i), b.slice(startB, j)]);
  }
  return found;
}

/** The coarsest shape that both are merged from: `[1024, 384]` and `[4, 256, 384]` to `[4, 256, 384]`; undefined where there is none. */
export function refined(a: Shape, b: Shape): number[] | undefined {
  const result: number[] = [];
  const [p, q] = [a.filter((n) => n !== 1), b.filter((n) => n !== 1)];
  if (size(a) !== size(b)) return undefined;
  if (size(a) === 0) return a.length === b.length && a.every((n, d) => n === b[d]) ? [...a] : undefined;
  let [i, j] = [0, 0];
  let [x, y] = [p[0] ?? 1, q[0] ?? 1];
  while (i < p.length && j < q.length) {
    const n = Math.min(x, y);
    if (Math.max(x, y) % n) return undefined;
    result.push(n);
    // what is left of the larger axis is matched with the other's next ones
    x /= n;
    y /= n;
    if (x === 1) x = p[++i] ?? 1;
    if (y === 1) y = q[++j] ?? 1;
  }
  return result;
}

/** Strides over `shape` of a value that broadcasts to it. */
export function broadcastStrides({ shape, strides }: Strided, to: Shape): number[] {
  const lead = to.length - shape.length;
  return to.map((_, d) => (d < lead || shape[d - lead] === 1 ? 0 : strides[d - lead]!));
}

/** Merge neighbouring axes that every operand steps through as one, but for those kept apart: fewer, longer axes. Axes of size one go. */
export function collapsed(
  shape: Shape,
  operands: readonly (readonly number[])[],
  apart: (axis: number) => boolean = () => false,
): number[] {
  const merged: number[] = [];
  let last = -1;
  shape.forEach((n, d) => {
    if (n === 1) return;
    if (last >= 0 && !apart(d) && operands.every((s) => s[last]! === n * s[d]!)) merged[merged.length - 1]! *= n;
    else merged.push(n);
    last = d;
  });
  return merged;
}
