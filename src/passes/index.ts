/** Graph to graph. */
export { flops, nodeFlops, peakBytes, traffic } from "./cost.js";
export { dedupe } from "./dedupe.js";
export { fold } from "./fold.js";
export { lower } from "./lower.js";
export { prepare } from "./prepare.js";
export { splitLowRank } from "./split-low-rank.js";
