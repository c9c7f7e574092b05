/** Functions with parameters, for images [N C H W]: convolution and batch normalisation. */
import { type Init, nameOf, type Scope, scalar, size, type Tensor } from "../ir/index.js";
import * as ops from "../ops/index.js";
import { normal, ones, zeros } from "./init.js";

/** Normal of variance 2 / fan-in, which keeps the scale of what relus pass on (He et al. 2015). */
const he: Init = (shape, random) => normal(Math.sqrt(2 / size(shape.slice(1))))(shape, random);

export interface ConvOptions extends ops.ConvAttrs {
  readonly kernel: readonly [height: number, width: number];
  readonly init?: Init;
  readonly bias?: boolean;
}

/** Convolution to `channels` channels: parameters `weight` and, unless `bias` is false, `bias`. */
export function conv2d(
  p: Scope,
  x: Tensor,
  channels: number,
  { kernel, init = he, bias = true, ...attrs }: ConvOptions,
): Tensor {
  const inputs = Math.floor((x.shape[1] ?? 0) / (attrs.groups ?? 1));
  const y = ops.conv2d(x, p.param("weight", [channels, inputs, ...kernel], init), attrs);
  return bias ? y.add(p.param("bias", [channels], zeros).reshape([1, channels, 1, 1])) : y;
}

/** A value, and what parameters become after the step that computed it: spread the latter into the program's `next`. */
export interface Updating {
  readonly y: Tensor;
  readonly next: Readonly<Record<string, Tensor>>;
}

/**
 * Mean 0 and variance 1 for each channel, then a learned gain and offset: `weight`, `bias` (Ioffe and Szegedy 2015). In training the
 * statistics are the batch's, and `running_mean` and `running_var` move towards them by `momentum`; otherwise these are used, and stay.
 */
export function batchNorm(
  p: Scope,
  x: Tensor,
  { training, momentum = 0.1, epsilon = 1e-5 }: { training: boolean; momentum?: number; epsilon?: number },
): Updating {
  const C = x.shape[1]!;
  const [gain, bias] = [p.param("weight", [C], ones), p.param("bias", [C], zeros)];
  const [mean, variance] = [p.param("running_mean", [C], zeros), p.param("running_var", [C], ones)];
  if (!training) {
    const beside = (t: Tensor) => t.reshape(x.shape.map((_, d) => (d === 1 ? C : 1)));
    const scale = gain.div(variance.detach().add(epsilon).sqrt());
    return { y: x.sub(beside(mean.detach())).mul(beside(scale)).add(beside(bias)), next: {} };
  }
  const [y, centre, inverse] = ops.batchNorm(x, gain, bias, { epsilon });
  const count = size(x.shape) / C;
  // what runs along estimates the population's variance: the batch's own is corrected for its size
  const spread = scalar(1)
    .div(inverse.square())
    .sub(epsilon)
    .mul(count / Math.max(count - 1, 1));
  const moved = (old: Tensor, now: Tensor) => old.mul(1 - momentum).add(now.detach().mul(momentum));
  return { y, next: { [nameOf(mean)]: moved(mean, centre), [nameOf(variance)]: moved(variance, spread) } };
}
