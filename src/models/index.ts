/** Model families, and their files in the public formats. */
export type { BertConfig } from "./bert.js";
export {
  diskError,
  freeBytes,
  makeFolder,
  replaceFile,
  requireSpace,
  syncFolder,
  writeAll,
  writing,
} from "./durable.js";
export { type AnyFamily, families, familyOf, presetNamed } from "./families.js";
export {
  type Dial,
  describe,
  type Family,
  type LanguageInputs,
  type Memory,
  type ModelSizes,
  memoryOf,
  type Pooling,
  type PublicConfig,
  parameterCount,
  parametersOf,
  read,
} from "./family.js";
export {
  isWeights,
  type ModelFolder,
  type ModelFolderContent,
  openModelFolder,
  removeModel,
  writeModelFolder,
} from "./folder.js";
export { type GptConfig, gptConfig } from "./gpt.js";
export { type MatchOptions, matchTypes } from "./match.js";
export { pool, type TokenPooling } from "./pool.js";
export {
  openSafetensors,
  type SafetensorsContent,
  type SafetensorsFile,
  safetensorsBytes,
  writeSafetensors,
} from "./safetensors.js";
export type { Piece } from "./safetensors-pieces.js";
export { type SentenceModules, sentenceModules } from "./sentence.js";
export { type LoadOptions, loadWeights, type StreamedWeight, storedTypes, streamWeights } from "./weights.js";
