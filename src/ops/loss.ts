/** Losses. */
import { fail, type Op, op, show, type Tensor } from "../ir/index.js";
import { logSoftmax, logSumExp } from "./activation.js";
import { exp, lift, mul, neg } from "./elementwise.js";
import { gatherLast, scatterLast } from "./index-ops.js";
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
