/** Normalisations over the last axis. */
import { fail, type Op, op, show, type Tensor, type Type } from "../ir/index.js";
import { add, div, lift, mul, sqrt, sub } from "./elementwise.js";
import { sum } from "./reduce.js";

export interface NormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
}
const last = (x: Tensor) => ({ axes: [x.shape.length - 1], keep: true });
const mean = (x: Tensor) => mul(sum(x, last(x)), lift(1 / x.shape.at(-1)!, x));
/** Sum over every axis but the last. */
const columns = (x: Tensor) => sum(x, { axes: x.shape.map((_, d) => d).slice(0, -1), keep: false });
const column = (x: Type): Type => ({ dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] });
const inverse = (x: Tensor) => div(lift(1, x), sqrt(x));

function fits(name: string, x: Type, gain: Type): void {
  if (gain.shape.length !== 1 || gain.shape[0] !== x.shape.at(-1))
    throw fail("shape", `${name}: ${show(x)} needs a gain of [${x.shape.at(-1)}], got ${show(gain)}`);
}

/** Layer normalisation (Ba et al. 2016): the normalised value, each row's mean and one over its deviation. */
export const layerNorm: Op<[x: Tensor, gain: Tensor, bias: Tensor], NormAttrs, readonly [Tensor, Tensor, Tensor]> = op<
  [x: Tensor, gain: Tensor, bias: Tensor],
  NormAttrs,
  readonly [Tensor, Tensor, Tensor]
>({
  name: "layerNorm",
  type([x, gain, bias]) {
    fits("layerNorm", x, gain);
    fits("layerNorm", x, bias);
    return [x, column(x), column(x)];
  },
  lower([x, gain, bias], { epsilon }) {
    const centre = mean(x);
    const d = sub(x, centre);
    const inv = inverse(add(mean(mul(d, d)), lift(epsilon, x)));
    return [add(mul(mul(d, inv), gain), bias), centre, inv];
  },
  // the mean and the deviation are outputs for this rule's sake: nothing else may differentiate through them
  vjp: ([g], [x, gain], [, centre, inv]) => (g ? layerNormGrad(x, gain, centre, inv, g) : [null, null, null]),
  onnx: (e, xs, { epsilon }) => e.many(3, "LayerNormalization", xs, { axis: -1, epsilon: { float: epsilon } }),
  cost: ([x]) => 8 * x.shape.reduce((a, b) => a * b, 1),
  samples: [
    { inputs: [[3, 5], [5], [5]], attrs: { epsilon: 1e-5 } },
    { inputs: [[2, 3, 4], [4], [4]], attrs: { epsilon: 1e-12 } },
  ],
});

type LayerBehind = [x: Tensor, gain: Tensor, mean: Tensor, inverse: Tensor, g: Tensor];
/** The gradient of `layerNorm` for x, gain and bias, from the rows' statistics and the value's cotangent g. */
export const layerNormGrad: Op<LayerBehind, void, readonly [Tensor, Tensor, Tensor]> = op<
  LayerBehind,
  void,
  readonly [Tensor, Tensor, Tensor]
>({
  name: "layerNormGrad",
  type: ([x, gain]) => [x, gain, gain],
  lower([x, gain, centre, inv, g]) {
    const normal = mul(sub(x, centre), inv);
    const dn = mul(g, gain);
    const dx = mul(sub(sub(dn, mean(dn)), mul(normal, mean(mul(dn, normal)))), inv);
    return [dx, columns(mul(g, normal)), columns(g)];
  },
  cost: ([x]) => 13 * x.shape.reduce((a, b) => a * b, 1),
  samples: [
    { inputs: [[3, 5], [5], [3, 1], [3, 1], [3, 5]] },
    { inputs: [[2, 3, 4], [4], [2, 3, 1], [2, 3, 1], [2, 3, 4]] },
  ],
});

/** Root-mean-square normalisation (Zhang and Sennrich 2019): the normalised value and one over each row's root mean square. */
export const rmsNorm: Op<[x: Tensor, gain: Tensor], NormAttrs, readonly [Tensor, Tensor]> = op<
  [x: Tensor, gain: Tensor],
  NormAttrs,
  readonly [Tensor, Tensor]
>({
  name: "rmsNorm",
  type([x, gain]) {
    fits("rmsNorm", x, gain);
    return [x, column(x)];
  },
  lower([x, gain], { epsilon }) {
    const inv = inverse(add(mean(mul(x, x)), lift(epsilon, x)));
    return [mul(mul(x, inv), gain), inv];
  },
  vjp: ([g], [x, gain], [, inv]) => (g ? rmsNormGrad(x, gain, inv, g) : [null, null]),
  cost: ([x]) => 5 * x.shape.reduce((a, b) => a * b, 1),
  samples: [
    { inputs: [[3, 5], [5]], attrs: { epsilon: 1e-5 } },
    { inputs: [[2, 3, 4], [4]], attrs: { epsilon: 1e-6 } },
  ],
});

type RmsBehind = [x: Tensor, gain: Tensor, inverse: Tensor, g: Tensor];
/** The gradient of `rmsNorm` for x and gain, from the rows' statistic and the value's cotangent g. */
export const rmsNormGrad: Op<RmsBehind, void, readonly [Tensor, Tensor]> = op<
  RmsBehind,
  void,
  readonly [Tensor, Tensor]
>({
  name: "rmsNormGrad",
  type: ([x, gain]) => [x, gain],
  lower([x, gain, inv, g]) {
    const normal = mul(x, inv);
    const dn = mul(g, gain);
    return [mul(sub(dn, mul(normal, mean(mul(dn, normal)))), inv), columns(mul(g, normal))];
  },
  cost: ([x]) => 9 * x.shape.reduce((a, b) => a * b, 1),
  samples: [{ inputs: [[3, 5], [5], [3, 1], [3, 5]] }, { inputs: [[2, 3, 4], [4], [2, 3, 1], [2, 3, 4]] }],
});
