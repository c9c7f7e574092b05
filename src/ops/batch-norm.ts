/** Normalisation of each channel over the whole batch. */
import { fail, type Op, op, type Shape, show, size, type Tensor, type Type } from "../ir/index.js";
import { add, div, lift, mul, sqrt, sub } from "./elementwise.js";
import type { NormAttrs } from "./norm.js";
import { sum } from "./reduce.js";
import { reshape } from "./shape.js";

type Three = readonly [Tensor, Tensor, Tensor];

/** Every axis but the channels'. */
const others = (x: Tensor): number[] => x.shape.map((_, d) => d).filter((d) => d !== 1);
const total = (x: Tensor): Tensor => sum(x, { axes: others(x), keep: false });
const mean = (x: Tensor): Tensor => mul(total(x), lift(x.shape[1]! / size(x.shape), x));
/** A number for each channel, [C] -> [1 C 1 …]. */
const beside = (t: Tensor, x: Tensor): Tensor => reshape(t, { shape: x.shape.map((n, d) => (d === 1 ? n : 1)) });

function fits(name: string, x: Type, each: readonly Type[]): Type {
  if (x.shape.length < 2) throw fail("shape", `${name}: ${show(x)} is not [N C …]`);
  const channels: Shape = [x.shape[1]!];
  for (const t of each)
    if (t.shape.join() !== channels.join())
      throw fail("shape", `${name}: ${show(x)} needs numbers for each channel [${channels}], got ${show(t)}`);
  return { dtype: x.dtype, shape: channels };
}

/**
 * Batch normalisation in training (Ioffe and Szegedy 2015): x [N C …], gain [C], bias [C] to the normalised value, and each
 * channel's mean and one over its deviation (of the batch, not corrected for its size).
 */
export const batchNorm: Op<[x: Tensor, gain: Tensor, bias: Tensor], NormAttrs, Three> = op<
  [x: Tensor, gain: Tensor, bias: Tensor],
  NormAttrs,
  Three
>({
  name: "batchNorm",
  type([x, gain, bias]) {
    const channels = fits("batchNorm", x, [gain, bias]);
    return [x, channels, channels];
  },
  lower([x, gain, bias], { epsilon }) {
    const centre = mean(x);
    const d = sub(x, beside(centre, x));
    const inverse = div(lift(1, x), sqrt(add(mean(mul(d, d)), lift(epsilon, x))));
    return [add(mul(d, beside(mul(inverse, gain), x)), beside(bias, x)), centre, inverse];
  },
  vjp([g, ...rest], [x, gain], [, centre, inverse]) {
    if (!g || rest.some(Boolean))
      throw fail("internal", "batchNorm: only the value has a gradient, not the statistics", "detach them");
    return batchNormGrad(x, gain, centre, inverse, g) as unknown as [Tensor, Tensor, Tensor];
  },
  cost: ([x]) => 8 * size(x.shape),
  samples: [
    { inputs: [[3, 4, 2, 3], [4], [4]], attrs: { epsilon: 1e-5 } },
    { inputs: [[5, 3], [3], [3]], attrs: { epsilon: 1e-3 } },
    { inputs: [[2, 1, 3, 1], [1], [1]], attrs: { epsilon: 1e-5 } },
  ],
});

type GradInputs = [x: Tensor, gain: Tensor, mean: Tensor, inverse: Tensor, g: Tensor];
/** What batch normalisation's x, gain and bias get, from its statistics and its value's gradient g. */
export const batchNormGrad: Op<GradInputs, void, Three> = op<GradInputs, void, Three>({
  name: "batchNormGrad",
  type([x, gain, centre, inverse, g]) {
    const channels = fits("batchNormGrad", x, [gain, centre, inverse]);
    if (g.shape.join() !== x.shape.join())
      throw fail("shape", `batchNormGrad: the gradient is ${show(g)}, x ${show(x)}`);
    return [x, channels, channels];
  },
  lower([x, gain, centre, inverse, g]) {
    const normal = mul(sub(x, beside(centre, x)), beside(inverse, x));
    const [dgain, dbias] = [total(mul(g, normal)), total(g)];
    const share = (t: Tensor) => beside(mul(t, lift(x.shape[1]! / size(x.shape), x)), x);
    const dx = mul(sub(sub(g, share(dbias)), mul(normal, share(dgain))), beside(mul(gain, inverse), x));
    return [dx, dgain, dbias];
  },
  cost: ([x]) => 11 * size(x.shape),
  samples: [{ inputs: [[3, 4, 2, 3], [4], [4], [4], [3, 4, 2, 3]] }, { inputs: [[5, 3], [3], [3], [3], [5, 3]] }],
});
