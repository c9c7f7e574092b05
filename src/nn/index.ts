/** Functions with parameters, and their first values. */
export { attend, attentionMask, crossMask, rowPositions, splitFused, splitHeads } from "./attention.js";
export { type Cache, stateCache } from "./cache.js";
export { batchNorm, conv2d, type Updating } from "./image.js";
export { initialise, normal, ones, residual, zeros } from "./init.js";
export { dropout, type Layout, layerNorm, linear, type Noise, rmsNorm } from "./layers.js";
export { type PastOptions, pastCache } from "./past.js";
export { randomStream, streamOf } from "./random.js";
export { type Places, type RelativeOptions, relativeBias } from "./relative.js";
