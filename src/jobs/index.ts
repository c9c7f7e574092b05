/** What the commands do: typed options in, events or results out. */
export { adapt } from "./adapt.js";
export { adaptLanguage } from "./adapt-language.js";
export { type AdaptLanguageOptions, adaptLanguageOptions } from "./adapt-language-options.js";
export { type AdaptOptions, adaptOptions } from "./adapt-options.js";
export type { AdaptResult } from "./adapted.js";
export type { AdaptLanguageResult } from "./adapted-language.js";
export { compareOptions, compareRuns } from "./compare.js";
export { type ControlEvent, control } from "./control.js";
export { type ControlOptions, controlOptions } from "./control-options.js";
export { type EvaluateOptions, evaluate, evaluateOptions } from "./evaluate.js";
export { type GenerateTextOptions, generateOptions, generateText } from "./generate.js";
export { type Prediction, type PredictOptions, predict, predictOptions } from "./predict.js";
export { pretrain, type RunControl } from "./pretrain.js";
export { type PretrainOptions, pretrainOptions } from "./pretrain-options.js";
export type { Written } from "./prompt.js";
export { type QuickstartEvent, type QuickstartOptions, quickstart, quickstartOptions } from "./quickstart.js";
export { type RunCheck, verifyResumeOptions, verifyRun } from "./verify-resume.js";
