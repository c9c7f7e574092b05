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

/** The first numbers from `from` on that are prime and far from every size there is, two of them with a prime sum. */
export function standIns(sizes: Iterable<number>): { batch: number; sequence: number; past: number; source: number } {
  const taken = new Set(sizes);
  const free = (n: number) => ![...taken].some((size) => size % n === 0 || Math.abs(size - n) <= 4 * near);
  const next = (from: number, fits: (n: number) => boolean = () => true): number => {
    let n = from;
    while (!isPrime(n) || !free(n) || !fits(n)) n++;
    taken.add(n);
    return n;
  };
  const batch = next(1009);
  const sequence = next(10_007);
  const source = next(15_013);
  // twice a prime: a prime of its own size, and an odd sum with the sequence
  const half = next(10_501, (n) => isPrime(sequence + 2 * n) && free(sequence + 2 * n) && free(2 * n));
  return { batch, sequence, source, past: 2 * half };
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}
