/** Graph to graph. */
export { flops, nodeFlops, peakBytes } from "./cost.js";
export { dedupe } from "./dedupe.js";
export { fold } from "./fold.js";
export { fuseHead } from "./fuse-head.js";
export { prepare } from "./prepare.js";
export { recompute } from "./recompute.js";
export { splitLowRank } from "./split-low-rank.js";
