/** Axes whose size a model reads from its inputs: a program has them at sizes that nothing else has, and those are recognised. */
import { fail, type Shape } from "../ir/index.js";
import type { OnnxValue } from "./protobuf.js";

/** What an axis is called, by the size that stands for it. */
export type AxisNames = ReadonlyMap<number, string>;

/** A size as so many times a product of axes, plus a few. */
export interface Said {
  readonly factor: number;
  readonly axes: readonly number[];
  readonly plus: number;
}

/** Sizes this near one that stands for an axis come from it, by adding or taking away. */
const near = 64;

/** The size in terms of axes; undefined where it is the same for all inputs. */
export function said(size: number, names: AxisNames): Said | undefined {
  let factor = size;
  const axes: number[] = [];
  for (const axis of names.keys())
    while (factor > 0 && factor % axis === 0) {
      factor /= axis;
      axes.push(axis);
    }
  if (axes.length) return { factor, axes, plus: 0 };
  const close = [...names.keys()].find((axis) => Math.abs(size - axis) <= near);
  return close === undefined ? undefined : { factor: 1, axes: [close], plus: size - close };
}

/** A shape with the names of its axes: what an input or a result is declared as. */
export const named = (shape: Shape, names: AxisNames): (number | string)[] =>
  shape.map((size) => {
    const found = said(size, names);
    if (!found) return size;
    const { factor, axes, plus } = found;
    const product = [...(factor > 1 ? [`${factor}`] : []), ...axes.map((axis) => names.get(axis)!)].join("*");
    return plus ? `${product}${plus > 0 ? "+" : ""}${plus}` : product;
  });

/** Where an axis can be read: an input and the number of the axis there, or two axes it is the sum of. */
export type Source = { readonly input: string; readonly at: number } | { readonly sum: readonly [number, number] };

/** Throws `onnx` for an axis that no input has. */
export function sourceOf(axis: number, names: AxisNames, inputs: Iterable<OnnxValue>): Source {
  for (const { name, shape } of inputs) if (shape.includes(axis)) return { input: name, at: shape.indexOf(axis) };
  const sizes = [...names.keys()];
  for (const a of sizes) if (sizes.includes(axis - a)) return { sum: [a, axis - a] };
  throw fail("onnx", `no input has the axis ${names.get(axis)}`, "give the model an input of that length");
}

/**
 * Sizes that stand for axes of any length in a model that has the sizes given: each apart from all others, `first` and `second` of a
 * pair with a sum that is a size of its own.
 */
export function standIns(taken: Iterable<number>): StandIns {
  const sizes = [...taken];
  const free = (n: number) => sizes.every((size) => (size === 0 || size % n) && Math.abs(size - n) > 4 * near);
  const prime = (from: number, fits: (n: number) => boolean = () => true): number => {
    let n = from;
    while (!isPrime(n) || !free(n) || !fits(n)) n++;
    sizes.push(n);
    return n;
  };
  const pair = (from: number) => {
    const first = prime(from);
    // twice a prime, since two odd numbers have an even sum
    const half = prime(from / 2 + 700, (n) => free(2 * n) && isPrime(first + 2 * n) && free(first + 2 * n));
    sizes.push(2 * half, first + 2 * half);
    return { first, second: 2 * half };
  };
  return { single: prime(1009), pairs: [pair(10_000), pair(17_000)] };
}

export interface StandIns {
  readonly single: number;
  readonly pairs: readonly [Pair, Pair];
}
interface Pair {
  readonly first: number;
  readonly second: number;
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}
