/** Values of a session's state that come in pieces. */
import { arrayOf, fail, type Nd, sameShape, size, type Type } from "../ir/index.js";
import type { Pieces } from "./engine.js";

/** Host data of its own, from pieces. Throws `feed` for a piece of another type. */
export async function assembled(name: string, type: Type, pieces: Pieces): Promise<Nd> {
  const data = arrayOf(type.dtype, size(type.shape)) as Float32Array;
  const row = size(type.shape.slice(1));
  for await (const { at, value } of pieces) {
    requireFits(name, type, value);
    data.set(value.data as Float32Array, at * row);
  }
  return { ...type, data };
}

/** Throws `feed` for a piece that is none of the whole. */
export function requireFits(name: string, type: Type, value: Nd): void {
  const fits = value.dtype === type.dtype && sameShape(value.shape.slice(1), type.shape.slice(1));
  if (!fits || value.shape.length !== type.shape.length)
    throw fail("feed", `a piece of ${name} is ${value.dtype}[${value.shape}], the whole ${type.dtype}[${type.shape}]`);
}
