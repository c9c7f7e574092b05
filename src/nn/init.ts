/** First values of parameters. */
import { type Init, initOf, type Nd, nameOf, size, type Tensor } from "../ir/index.js";
import { randomStream } from "./random.js";

export const zeros: Init = (shape) => new Float32Array(size(shape));
export const ones: Init = (shape) => new Float32Array(size(shape)).fill(1);

/** Normal of mean 0 and the given standard deviation (Box and Muller 1958, both numbers of each pair). */
export const normal =
  (deviation: number): Init =>
  (shape, random) => {
    const values = new Float32Array(size(shape));
    for (let i = 0; i < values.length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
      const angle = 2 * Math.PI * random();
      values[i] = radius * Math.cos(angle);
      if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  };

/** A projection back into a residual stream of `layers` blocks with two branches each: its variance does not grow with depth (GPT-2, Radford et al. 2019). */
export const residual = (deviation: number, layers: number): Init => normal(deviation / Math.sqrt(2 * layers));

/** First values for every parameter. Each draws from its own stream of (seed, name): adding one leaves the others as they were. */
export function initialise(params: readonly Tensor[], seed: number): Map<string, Nd> {
  const state = new Map<string, Nd>();
  for (const t of params) {
    const name = nameOf(t);
    if (!state.has(name))
      state.set(name, { dtype: "f32", shape: t.shape, data: initOf(t)(t.shape, randomStream(seed, name)) });
  }
  return state;
}
