/** Data: sources, tokenisers, token shards, batches, and the doctor. */
export type { Batch, Batches, CorpusBatches } from "./batch.js";
export { type CausalOptions, causalBatches } from "./causal.js";
export {
  type ClassificationBatches,
  type ClassificationOptions,
  classificationBatches,
  type Example,
  type Examples,
  encodeExamples,
} from "./classification.js";
export {
  type DoctorOptions,
  type DoctorReport,
  examine,
  type Finding,
  type SplitName,
  type SplitReport,
} from "./doctor.js";
export { type Format, formats, type TextOptions } from "./formats.js";
export { type MaskedBatches, type MaskedOptions, maskedBatches } from "./masked.js";
export { type Overflow, type OverflowReport, overflows } from "./overflow.js";
export { type Prefetched, prefetch } from "./prefetch.js";
export { hash, hashText, permutation, type Random, random } from "./random.js";
export type { Document, Row } from "./row.js";
export { cachedShards, openShards, type ShardHeader, type ShardOptions, type Tokens, writeShards } from "./shards.js";
export { builtIn, documents, files, fingerprint, rows, type SourceOptions } from "./sources.js";
export { loadTokenizer, type Role, type Tokenizer, tokenizerOf, trainTokenizer } from "./tokenizer.js";
export { type TokenizerJson, type TokenizerKind, tokenizerKinds, type VocabularyOptions } from "./vocabulary.js";
export {
  type NounCategory,
  normalise,
  nounCategories,
  type Split,
  type Synset,
  synsets,
  type WordnetOptions,
  wordnetCategories,
  wordnetDocuments,
} from "./wordnet.js";
