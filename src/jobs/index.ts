/** What the commands do: typed options in, events or results out. */
export { type AdaptResult, adapt } from "./adapt.js";
export { type AdaptOptions, adaptOptions } from "./adapt-options.js";
export { type ControlEvent, control } from "./control.js";
export { type ControlOptions, controlOptions } from "./control-options.js";
export { type RunControl, pretrain } from "./pretrain.js";
export { type PretrainOptions, pretrainOptions } from "./pretrain-options.js";
