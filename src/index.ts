/** plinth: foundation models in TypeScript. Pre-train, adapt, evaluate, and measure what pre-training saved. */
export { methods } from "./adapt/index.js";
export { type Config, defineConfig } from "./cli/index.js";
export {
  builtIn,
  type DoctorReport,
  examine,
  loadTokenizer,
  rows,
  type Tokenizer,
  trainTokenizer,
} from "./data/index.js";
export {
  type Curve,
  type Efficiency,
  efficiency,
  type ReportFacts,
  readCurve,
  type Verdict,
  writeReport,
} from "./evaluate/index.js";
export { type Code, codes, PlinthError } from "./ir/index.js";
export {
  type AdaptLanguageOptions,
  type AdaptLanguageResult,
  type AdaptOptions,
  type AdaptResult,
  adapt,
  adaptLanguage,
  type ControlEvent,
  type ControlOptions,
  compareRuns,
  control,
  type Embedding,
  type EmbedOptions,
  type EvaluateOptions,
  type Exported,
  type ExportOptions,
  embed,
  evaluate,
  exportModel,
  type Filled,
  type FillOptions,
  fill,
  type GenerateTextOptions,
  generateText,
  generateTexts,
  type Prediction,
  type PredictOptions,
  type PretrainOptions,
  type ProfileOptions,
  predict,
  pretrain,
  profile,
  type QuickstartEvent,
  type QuickstartOptions,
  quickstart,
  type RunCheck,
  type RunControl,
  type StepProfile,
  verifyRun,
  type Written,
  type WrittenText,
} from "./jobs/index.js";
export { families } from "./models/index.js";
export { type Engine, engines, peak, type Session, type State } from "./runtime/index.js";
export { readEvents, readRun, type TrainEvent } from "./train/index.js";
