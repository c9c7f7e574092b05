/** The op table, and the methods it installs on tensors. */
import "./methods.js";

export { gelu, geluErf, logSoftmax, silu, softmax, softmaxGrad } from "./activation.js";
export { attention, attentionGrad, repeatHeads } from "./attention.js";
export { batchNorm } from "./batch-norm.js";
export { broadcast } from "./broadcast.js";
export { type ConvAttrs, conv2d, conv2dInputGrad, conv2dWeightGrad } from "./conv.js";
export { cumsum } from "./cumsum.js";
export { add, detach, mul, neg, where } from "./elementwise.js";
export { gather, gatherLast, scatterAdd, scatterLast, sliceAt, writeAt } from "./index-ops.js";
export { type MatmulAttrs, matmul, swapped } from "./linalg.js";
export { crossEntropy, crossEntropyGrad, linearCrossEntropy, linearCrossEntropyGrad } from "./loss.js";
export { layerNorm, layerNormGrad, rmsNorm, rmsNormGrad } from "./norm.js";
export { type AveragePoolAttrs, avgPool2d, maxPool2d, type PoolAttrs } from "./pool.js";
export { dropout, mix, type RandomAttrs, streamKey, uniform } from "./random.js";
export { argmax, max, type ReduceAttrs, sum, sumSquare } from "./reduce.js";
export { type RotaryAttrs, type RotaryScaling, rotary } from "./rotary.js";
export { after, concat, expand, reshape, slice, split, transpose } from "./shape.js";
export { familyOf, table } from "./table.js";
export { type Pair, plane, type WindowAttrs, windowOf } from "./window.js";
