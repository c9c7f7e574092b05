/** Losses. */
import { fail, type Op, op, show, type Tensor, type Type } from "../ir/index.js";
import { logSoftmax, logSumExp } from "./activation.js";
import { add, exp, lift, mul, neg } from "./elementwise.js";
import { gatherLast, scatterLast } from "./index-ops.js";
import { matmul } from "./linalg.js";
import { sum } from "./reduce.js";
import { expand, reshape } from "./shape.js";

const scored = [
  { shape: [4, 5], low: -2, high: 2 },
  { shape: [4], dtype: "i32", low: 0, high: 5 },
] as const;

/**
 * Cross-entropy in nats: logits [N V] and labels i32 [N] to the loss of each row [N] and the logarithm of each row's sum
 * of exponentials [N], from which a gradient finds the probabilities again.
 */
export const crossEntropy: Op<[logits: Tensor, labels: Tensor], void, readonly [Tensor, Tensor]> = op<
  [logits: Tensor, labels: Tensor],
  void,
  readonly [Tensor, Tensor]
>({
  name: "crossEntropy",
  type([logits, labels]) {
    if (logits.shape.length !== 2 || labels.shape.length !== 1 || logits.shape[0] !== labels.shape[0])
      throw fail("shape", `crossEntropy: logits ${show(logits)} and labels ${show(labels)} are not [N V] and [N]`);
    const rows = { dtype: logits.dtype, shape: labels.shape };
    return [rows, rows];
  },
  lower([logits, labels]) {
    return [neg(gatherLast(logSoftmax(logits), labels)), reshape(logSumExp(logits), { shape: labels.shape })];
  },
  vjp([g, gl], [logits, labels], [, lse]) {
    if (!g || gl) throw fail("internal", "crossEntropy: only the loss has a gradient; use logSoftmax for the rest");
    return [crossEntropyGrad(logits, labels, lse, g), null];
  },
  cost: ([logits]) => 5 * logits.shape[0]! * logits.shape[1]!,
  samples: [{ inputs: scored }],
});

type Behind = [logits: Tensor, labels: Tensor, lse: Tensor, g: Tensor];
/** The gradient of `crossEntropy` for the logits from its inputs, its second output, and the losses' cotangent g [N]. */
export const crossEntropyGrad: Op<Behind> = op<Behind>({
  name: "crossEntropyGrad",
  type: ([logits]) => logits,
  lower([logits, labels, , g]) {
    const minus = expand(lift(-1, g), { shape: g.shape });
    const slope = scatterLast(exp(logSoftmax(logits)), labels, minus);
    return mul(slope, reshape(g, { shape: [...g.shape, 1] }));
  },
  cost: ([logits]) => 2 * logits.shape[0]! * logits.shape[1]!,
  samples: [{ inputs: [...scored, { shape: [4], of: ([logits, labels]) => crossEntropy(logits!, labels!)[1] }, [4]] }],
});

type Head = [h: Tensor, w: Tensor, bias: Tensor, labels: Tensor];
const headed = [{ shape: [4, 3] }, { shape: [5, 3] }, { shape: [5] }, scored[1]] as const;
const logitsOf = (h: Tensor, w: Tensor, bias: Tensor): Tensor => add(matmul(h, w, { transposeRight: true }), bias);
function headTypes([h, w, bias, labels]: readonly Type[]): readonly [Type, Type] {
  const fits = h!.shape.length === 2 && w!.shape[1] === h!.shape[1] && bias!.shape.join() === `${w!.shape[0]}`;
  if (!fits || labels!.shape.join() !== `${h!.shape[0]}`)
    throw fail(
      "shape",
      `linearCrossEntropy: ${[h, w, bias, labels].map((t) => show(t!)).join(", ")} are not [N D], [V D], [V] and [N]`,
    );
  const rows = { dtype: h!.dtype, shape: labels!.shape };
  return [rows, rows];
}
const headCost = ([h, w]: readonly Type[]): number => h!.shape[0]! * w!.shape[0]! * (2 * h!.shape[1]! + 5);

/**
 * The cross-entropy of a linear layer: rows h [N D], weights w [V D], bias [V] and labels i32 [N] to the loss of each row and the
 * logarithm of its sum of exponentials, both [N]. An engine that has it never stores the logits.
 */
export const linearCrossEntropy: Op<Head, void, readonly [Tensor, Tensor]> = op<Head, void, readonly [Tensor, Tensor]>({
  name: "linearCrossEntropy",
  type: headTypes,
  lower: ([h, w, bias, labels]) => crossEntropy(logitsOf(h, w, bias), labels),
  cost: headCost,
  samples: [{ inputs: headed }],
});

/** The loss of `linearCrossEntropy`, and its gradients for h, w and bias, given each loss's cotangent g [N], in one sweep. */
export const linearCrossEntropyGrad: Op<[...Head, g: Tensor], void, readonly [Tensor, Tensor, Tensor, Tensor]> = op<
  [...Head, g: Tensor],
  void,
  readonly [Tensor, Tensor, Tensor, Tensor]
>({
  name: "linearCrossEntropyGrad",
  type: (types) => [headTypes(types)[0], ...(types.slice(0, 3) as [Type, Type, Type])],
  lower([h, w, bias, labels, g]) {
    const logits = logitsOf(h, w, bias);
    const [loss, lse] = crossEntropy(logits, labels);
    const slope = crossEntropyGrad(logits, labels, lse, g);
    const dw = matmul(slope, h, { transposeLeft: true });
    return [loss, matmul(slope, w, {}), dw, sum(slope, { axes: [0], keep: false })];
  },
  cost: (types) => 3 * headCost(types),
  samples: [{ inputs: [...headed, [4]], grad: false }],
});
