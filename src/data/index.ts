/** Data: sources, tokenisers, token shards, batches, and the doctor. */
export type { Batch, Batches, CorpusBatches } from "./batch.js";
export { byLength, type LengthBatch } from "./by-length.js";
export { causalBatches } from "./causal.js";
export { type Chat, examineChat, type Message, renderChat } from "./chat.js";
export { classificationBatches, type Example, encodeExamples, frameOf } from "./classification.js";
export { column } from "./columns.js";
export {
  type DoctorOptions,
  type DoctorReport,
  examine,
  type Finding,
  type SplitName,
  type SplitReport,
} from "./doctor.js";
export { formats } from "./formats.js";
export { maskedBatches } from "./masked.js";
export { type Overflow, type OverflowReport, overflows } from "./overflow.js";
export {
  contrastBatches,
  encodePairs,
  type Pair,
  type PairBatchOptions,
  type PairOptions,
  sequenceBatches,
} from "./pairs.js";
export type { TokenTexts } from "./pieces.js";
export { type Prefetched, prefetch } from "./prefetch.js";
export { hash, hashText, permutation, random } from "./random.js";
export type { Document, Row } from "./row.js";
export { cachedShards, openShards, type Tokens, writeShards } from "./shards.js";
export { builtIn, documents, files, fingerprint, rows, type SourceOptions } from "./sources.js";
export { spanBatches } from "./spans.js";
export { loadTokenizer, type Tokenizer, trainTokenizer } from "./tokenizer.js";
export { type TokenizerKind, tokenizerKinds } from "./vocabulary.js";
export {
  normalise,
  nounCategories,
  type Split,
  type Synset,
  synsets,
  wordnetCategories,
  wordnetDocuments,
} from "./wordnet.js";
