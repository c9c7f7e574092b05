/** Tasks: what to learn from examples. */
export { type LanguageModelling, type LanguageModellingSizes, languageModelling } from "./language-modelling.js";
export {
  headNames,
  type TextClassification,
  type TextClassificationSizes,
  textClassification,
} from "./text-classification.js";
