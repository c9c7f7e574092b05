/** What the commands do: typed options in, events or results out. */
export { type PretrainOptions, pretrainOptions } from "./pretrain-options.js";
export { pretrain, type RunControl } from "./pretrain.js";
