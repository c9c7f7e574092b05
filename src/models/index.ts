/** Model families, and their files in the public formats. */
export { type BertConfig, bertConfig } from "./bert.js";
export { type AnyFamily, families, familyOf, presetNamed } from "./families.js";
export {
  type Dial,
  describe,
  type Family,
  type LanguageInputs,
  type Pooling,
  type PublicConfig,
  parameterCount,
  parametersOf,
} from "./family.js";
export { type GptConfig, gptConfig } from "./gpt.js";
