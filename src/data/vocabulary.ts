/** Learns a tokeniser from text and writes it as the standard `tokenizer.json`. */
import { fail } from "../ir/index.js";
import { learnMerges } from "./merges.js";

/** bpe: byte-level pieces (GPT-2, 2019). wordpiece, words: lower-cased pieces or whole words (BERT, 2018). characters: one each. */
export const tokenizerKinds = ["bpe", "wordpiece", "words", "characters"] as const;
export type TokenizerKind = (typeof tokenizerKinds)[number];

export interface VocabularyOptions {
  readonly kind: TokenizerKind;
  /** The most entries the vocabulary may have, special tokens included. `characters` takes every character it sees. */
  readonly vocabSize: number;
  /** Words, pairs and pieces seen less often are left out. Default 2. */
  readonly minFrequency?: number;
  /** bpe: special tokens as T5's, <pad>, </s> and <unk> first and so many sentinels <extra_id_0>, … last, in place of GPT-2's. */
  readonly sentinels?: number;
}

/** The parts of a tokenizer.json that plinth writes or reads; the rest is kept as it is. */
export interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly model: { readonly type: string; readonly vocab: unknown; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

const gptSpecials = ["<|endoftext|>"];
const t5Specials = ["<pad>", "</s>", "<unk>"];
const bertSpecials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/** More distinct words than this are not kept in memory: the rarest go (they would not earn a piece). */
const wordLimit = 2_000_000;

/** GPT-2's splitting of text into words, as in its released encoder (OpenAI, 2019). */
const gptWords = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
/** BERT's: at white space, and every punctuation mark alone. */
const bertWords = /[\p{P}$+<=>^`|~]|[^\s\p{P}$+<=>^`|~]+/gu;

/** BERT's normalisation: lower case, accents and control characters removed, Chinese characters as words of their own. */
function bertNormalise(text: string): string {
  return text
    .replace(/[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2fa1f}\uf900-\ufaff]/gu, " $& ")
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .replace(/[^\P{C}\s]|\ufffd/gu, "")
    .toLowerCase();
}

/** The tokenizer.json learnt from text, read once and not kept. Throws "tokenizer" when there is nothing to learn or no room. */
export async function learnVocabulary(
  texts: AsyncIterable<string> | Iterable<string>,
  o: VocabularyOptions,
): Promise<TokenizerJson> {
  const { sentinels } = o;
  if (sentinels !== undefined && o.kind !== "bpe")
    throw fail("tokenizer", `a tokeniser of kind ${o.kind} has no sentinels`, "train one of kind bpe");
  const least = {
    bpe: sentinels === undefined ? 257 : 256 + t5Specials.length + sentinels,
    wordpiece: 32,
    words: 8,
    characters: 3,
  }[o.kind];
  if (o.vocabSize < least)
    throw fail("tokenizer", `a ${o.kind} vocabulary of ${o.vocabSize} is too small`, `use at least ${least}`);
  const words = await countWords(texts, o.kind);
  if (words.size === 0) throw fail("tokenizer", "there is no text to learn a tokeniser from", "check the data source");
  const minFrequency = o.minFrequency ?? 2;
  if (o.kind === "bpe") return byteLevel(words, { ...o, minFrequency });
  if (o.kind === "characters") return characters(words);
  return bert(o.kind, words, o.vocabSize, minFrequency);
}

async function countWords(texts: AsyncIterable<string> | Iterable<string>, kind: TokenizerKind) {
  const counts = new Map<string, number>();
  for await (const text of texts) {
    const words =
      kind === "characters"
        ? text
        : kind === "bpe"
          ? (text.match(gptWords) ?? [])
          : (bertNormalise(text).match(bertWords) ?? []);
    for (const whole of words) for (const word of parts(whole)) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (let rare = 1; counts.size > wordLimit; rare++)
      for (const [word, count] of counts) if (count <= rare) counts.delete(word);
  }
  return counts;
}

/** A word longer than any piece will be, such as a line of base64, in parts: learning takes time with the square of its length. */
function* parts(word: string): Generator<string> {
  if (word.length <= 256) yield word;
  else for (const [part] of word.matchAll(/.{1,256}/gsu)) yield part;
}

/** GPT-2's printable stand-in for each byte. */
export const byteLetters: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  if (printable(byte)) return String.fromCharCode(byte);
  let before = 0;
  for (let b = 0; b < byte; b++) if (!printable(b)) before++;
  return String.fromCharCode(256 + before);
});

const printed = (piece: string) => Array.from(piece, (c) => byteLetters[c.charCodeAt(0)]!).join("");

/** Byte-level BPE as pieces of raw bytes (one UTF-16 unit a byte), the order in which ties compare. */
export function byteMerges(words: ReadonlyMap<string, number>, size: number, minFrequency: number) {
  return learnMerges({
    words: Array.from(words, ([word, count]) => [[...Buffer.from(word, "utf8").toString("latin1")], count] as const),
    alphabet: byteLetters.map((_, byte) => String.fromCharCode(byte)),
    size,
    minFrequency,
  });
}

function byteLevel(
  words: ReadonlyMap<string, number>,
  { vocabSize, minFrequency, sentinels }: VocabularyOptions & { readonly minFrequency: number },
): TokenizerJson {
  const first = sentinels === undefined ? gptSpecials : t5Specials;
  // T5's ids descend: the first sentinel is the vocabulary's last entry
  const last = Array.from({ length: sentinels ?? 0 }, (_, i) => `<extra_id_${i}>`).reverse();
  const { pieces, merges } = byteMerges(words, vocabSize - first.length - last.length, minFrequency);
  const json = byteLevelJson(
    [...first, ...pieces.map(printed), ...last],
    merges.map(([left, right]) => [printed(left), printed(right)]),
    [...first, ...last],
  );
  return sentinels === undefined ? json : { ...json, post_processor: endOfText };
}

/** What other programs put after a text: T5's end token. */
const endOfText = {
  type: "TemplateProcessing",
  single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
  pair: ["A", "B"].flatMap((id) => [{ Sequence: { id, type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }]),
  special_tokens: { "</s>": { id: "</s>", ids: [t5Specials.indexOf("</s>")], tokens: ["</s>"] } },
};

/** A tokenizer.json in GPT-2's manner from its pieces in the order of their ids and its merges. */
export function byteLevelJson(
  pieces: readonly string[],
  merges: readonly (readonly [string, string])[],
  specials: readonly string[] = gptSpecials,
): TokenizerJson {
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    ...frame(specials, pieces),
    pre_tokenizer: bytes,
    post_processor: { ...bytes, add_prefix_space: true, trim_offsets: false },
    decoder: { ...bytes, add_prefix_space: true },
    model: {
      ...bpe,
      unk_token: null,
      vocab: numbered(pieces),
      merges,
    },
  };
}

const bpe = {
  type: "BPE",
  dropout: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

function characters(words: ReadonlyMap<string, number>): TokenizerJson {
  const specials = ["<|endoftext|>", "<unk>"];
  const pieces = [...specials, ...[...words.keys()].sort()];
  return {
    ...frame(specials, pieces),
    decoder: { type: "Fuse" },
    model: { ...bpe, unk_token: "<unk>", vocab: numbered(pieces), merges: [] },
  };
}

function bert(
  kind: "wordpiece" | "words",
  words: ReadonlyMap<string, number>,
  vocabSize: number,
  minFrequency: number,
) {
  const room = vocabSize - bertSpecials.length;
  const known = kind === "words" ? frequent(words, room, minFrequency) : wordPieces(words, room, minFrequency);
  return bertJson([...bertSpecials, ...known], kind);
}

function frequent(words: ReadonlyMap<string, number>, room: number, minFrequency: number): string[] {
  return [...words]
    .filter(([, count]) => count >= minFrequency)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, room)
    .map(([word]) => word);
}

/** WordPiece's pieces, learnt as its trainers in use do: BPE whose pieces inside a word carry "##". */
function wordPieces(words: ReadonlyMap<string, number>, room: number, minFrequency: number): readonly string[] {
  const characters = new Map<string, number>();
  const split = Array.from(words, ([word, count]) => {
    const pieces = Array.from(word, (c, i) => (i ? `##${c}` : c));
    for (const piece of pieces) characters.set(piece, (characters.get(piece) ?? 0) + count);
    return [pieces, count] as const;
  });
  // half the room at most for single characters: a corpus with many scripts must leave space for words
  const kept = frequent(characters, room >> 1, 1);
  const alphabet = new Set(kept);
  return learnMerges({
    words: split.filter(([pieces]) => pieces.every((piece) => alphabet.has(piece))),
    alphabet: kept.sort(),
    size: room,
    minFrequency,
    join: (left, right) => left + right.slice(2),
  }).pieces;
}

/** A tokenizer.json in BERT's manner (lower-cased) from its vocabulary in the order of its ids. */
export function bertJson(vocabulary: readonly string[], kind: "wordpiece" | "words" = "wordpiece"): TokenizerJson {
  const vocab = numbered(vocabulary);
  const special = (id: string) => ({ id, ids: [vocab[id]], tokens: [id] });
  const one = [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }];
  const end = (type_id: number) => ({ SpecialToken: { id: "[SEP]", type_id } });
  return {
    ...frame(bertSpecials, vocabulary),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [...one, end(0)],
      pair: [...one, end(0), { Sequence: { id: "B", type_id: 1 } }, end(1)],
      special_tokens: { "[CLS]": special("[CLS]"), "[SEP]": special("[SEP]") },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model:
      kind === "words"
        ? { type: "WordLevel", vocab, unk_token: "[UNK]" }
        : {
            type: "WordPiece",
            unk_token: "[UNK]",
            continuing_subword_prefix: "##",
            max_input_chars_per_word: 100,
            vocab,
          },
  };
}

const numbered = (pieces: readonly string[]) => Object.fromEntries(pieces.map((piece, id) => [piece, id]));

function frame(specials: readonly string[], pieces: readonly string[]) {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials.map((content) => ({ id: pieces.indexOf(content), content, ...flags })),
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
  };
}
