/** Nonlinearities of a network's layers: composites with the gradients that cost least. */
import { type Op, op, type Tensor } from "../ir/index.js";
import { add, detach, div, erf, exp, lift, log, mul, sigmoid, sub, tanh } from "./elementwise.js";
import { max, sum } from "./reduce.js";

const last = (x: Tensor) => ({ axes: [x.shape.length - 1], keep: true });
const times = (x: Tensor, k: number) => mul(x, lift(k, x));
const plus = (x: Tensor, k: number) => add(x, lift(k, x));
const wide = [{ inputs: [{ shape: [3, 5], low: -2, high: 2 }] }, { inputs: [{ shape: [2, 1, 1], low: -2, high: 2 }] }];

/** exp(x) over its sum along the last axis. */
export const softmax: Op<[Tensor]> = op<[Tensor]>({
  name: "softmax",
  type: ([x]) => x,
  lower(xs) {
    const [x] = xs;
    const e = exp(sub(x, detach(max(x, last(x)))));
    return div(e, sum(e, last(x)));
  },
  vjp: (g, _, y) => [softmaxGrad(y, g)],
  onnx: (e, [x]) => e.node("Softmax", [x!], { axis: -1 }),
  cost: ([x]) => 5 * x.shape.reduce((a, b) => a * b, 1),
  samples: wide,
});

/** The gradient of softmax from its value y and that value's cotangent g. */
export const softmaxGrad: Op<[y: Tensor, g: Tensor]> = op<[y: Tensor, g: Tensor]>({
  name: "softmaxGrad",
  type: ([y]) => y,
  lower: ([y, g]) => mul(y, sub(g, sum(mul(g, y), last(y)))),
  cost: ([y]) => 4 * y.shape.reduce((a, b) => a * b, 1),
  samples: wide.map(({ inputs }) => ({ inputs: [...inputs, ...inputs] })),
});

/** The logarithm of the sum of exponentials along the last axis, which stays with size 1. */
export function logSumExp(x: Tensor): Tensor {
  const top = detach(max(x, last(x)));
  return add(top, log(sum(exp(sub(x, top)), last(x))));
}

/** The logarithm of softmax, without its overflow. */
export const logSoftmax: Op<[Tensor]> = op<[Tensor]>({
  name: "logSoftmax",
  type: ([x]) => x,
  lower([x]) {
    const z = sub(x, detach(max(x, last(x))));
    return sub(z, log(sum(exp(z), last(x))));
  },
  vjp: (g, _, y) => [sub(g, mul(exp(y), sum(g, last(y))))],
  onnx: (e, [x]) => e.node("LogSoftmax", [x!], { axis: -1 }),
  cost: ([x]) => 5 * x.shape.reduce((a, b) => a * b, 1),
  samples: wide,
});

const c = 2 * Math.sqrt(2 / Math.PI);
const a = 0.044715;
/** GELU in its tanh form (Hendrycks and Gimpel 2016), written x·sigmoid(2u) with u = √(2/π)(x + 0.044715 x³). */
export const gelu: Op<[Tensor]> = op<[Tensor]>({
  name: "gelu",
  type: ([x]) => x,
  // halved first: a factor at the end would move into the products that follow, and be taken out of some of them only
  lower: ([x]) => mul(times(x, 0.5), plus(tanh(mul(x, plus(times(mul(x, x), (c / 2) * a), c / 2))), 1)),
  vjp(g, [x], y) {
    const square = mul(x, x);
    const s = sigmoid(mul(x, plus(times(square, c * a), c)));
    const slope = plus(times(square, 3 * c * a), c);
    return [mul(g, add(s, mul(mul(y, sub(lift(1, s), s)), slope)))];
  },
  onnx: (e, [x]) =>
    e.contrib ? e.node("FastGelu", [x!], {}, "com.microsoft") : e.node("Gelu", [x!], { approximate: "tanh" }),
  cost: ([x]) => 8 * x.shape.reduce((p, q) => p * q, 1),
  samples: wide,
});

/** GELU, x·Φ(x) with the normal distribution's Φ (Hendrycks and Gimpel 2016): what BERT uses. */
export const geluErf: Op<[Tensor]> = op<[Tensor]>({
  name: "geluErf",
  type: ([x]) => x,
  lower: ([x]) => mul(times(x, 0.5), plus(erf(times(x, Math.SQRT1_2)), 1)),
  vjp(g, [x]) {
    const below = plus(times(erf(times(x, Math.SQRT1_2)), 0.5), 0.5);
    const density = times(exp(times(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(g, add(below, mul(x, density)))];
  },
  onnx: (e, [x]) => e.node("Gelu", [x!], { approximate: "none" }),
  cost: ([x]) => 8 * x.shape.reduce((p, q) => p * q, 1),
  samples: wide,
});

/** SiLU, x·sigmoid(x) (Elfwing et al. 2017). */
export const silu: Op<[Tensor]> = op<[Tensor]>({
  name: "silu",
  type: ([x]) => x,
  lower: ([x]) => mul(x, sigmoid(x)),
  vjp(g, [x], y) {
    const s = sigmoid(x);
    return [mul(g, add(s, mul(y, sub(lift(1, s), s))))];
  },
  cost: ([x]) => 5 * x.shape.reduce((p, q) => p * q, 1),
  samples: wide,
});
