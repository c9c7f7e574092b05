/** Losses. */
import { fail, type Op, op, show, type Tensor } from "../ir/index.js";
import { logSoftmax } from "./activation.js";
import { exp, lift, mul, neg } from "./elementwise.js";
import { gatherLast, scatterLast } from "./index-ops.js";
import { expand, reshape } from "./shape.js";

/** Cross-entropy in nats: logits [N V] and labels i32 [N] to the loss of each row [N] and all log-probabilities [N V]. */
export const crossEntropy: Op<[logits: Tensor, labels: Tensor], void, readonly [Tensor, Tensor]> = op<
  [logits: Tensor, labels: Tensor],
  void,
  readonly [Tensor, Tensor]
>({
  name: "crossEntropy",
  type([logits, labels]) {
    if (logits.shape.length !== 2 || labels.shape.length !== 1 || logits.shape[0] !== labels.shape[0])
      throw fail("shape", `crossEntropy: logits ${show(logits)} and labels ${show(labels)} are not [N V] and [N]`);
    return [{ dtype: logits.dtype, shape: labels.shape }, logits];
  },
  lower([logits, labels]) {
    const logProbabilities = logSoftmax(logits);
    return [neg(gatherLast(logProbabilities, labels)), logProbabilities];
  },
  vjp([g, gp], [, labels], [loss, logProbabilities]) {
    if (!g || gp) throw fail("internal", "crossEntropy: only the loss has a gradient; use logSoftmax for the rest");
    const minus = expand(lift(-1, loss), { shape: loss.shape });
    const slope = scatterLast(exp(logProbabilities), labels, minus);
    return [mul(slope, reshape(g, { shape: [...g.shape, 1] })), null];
  },
  cost: ([logits]) => 5 * logits.shape[0]! * logits.shape[1]!,
  samples: [
    {
      inputs: [
        { shape: [4, 5], low: -2, high: 2 },
        { shape: [4], dtype: "i32", low: 0, high: 5 },
      ],
    },
  ],
});
