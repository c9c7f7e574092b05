/** Tasks: what to learn from examples. */
export { type LanguageModelling, type LanguageModellingSizes, languageModelling } from "./language-modelling.js";
export { type MaskFillingSizes, maskFilling } from "./mask-filling.js";
export { type SentencePairs, type SentencePairsSizes, sentencePairs } from "./sentence-pairs.js";
export { type SentenceVectorsSizes, sentenceVectors } from "./sentence-vectors.js";
export { type SpanExtraction, type SpanExtractionSizes, spanExtraction } from "./span-extraction.js";
export {
  headNames,
  type TextClassification,
  type TextClassificationSizes,
  textClassification,
} from "./text-classification.js";
export {
  type TokenClassification,
  type TokenClassificationSizes,
  tokenClassification,
} from "./token-classification.js";
