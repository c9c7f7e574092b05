/** Text to pre-train on: split into training and validation, tokenised once, kept beside the runs. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  cachedShards,
  type Document,
  documents,
  fingerprint,
  hashText,
  loadTokenizer,
  normalise,
  type Tokenizer,
  type TokenizerKind,
  type Tokens,
  tokenizerKinds,
  trainTokenizer,
} from "../data/index.js";
import { fail } from "../ir/index.js";
import { makeFolder } from "../models/index.js";
import { partOfTokens } from "./part.js";

export interface CorpusOptions {
  readonly data: readonly string[];
  /** Sources to measure on; absent: a share of the documents is set apart. */
  readonly validation?: readonly string[] | undefined;
  readonly validationShare: number;
  /** Column of the text in tables and JSON lines. */
  readonly text: string;
  /** A kind to train, or a path. */
  readonly tokenizer: string;
  readonly vocabSize: number;
  /** Special tokens <extra_id_0>, … of a tokeniser that is trained here, for what a family t5 cuts out. */
  readonly sentinels?: number;
  /** "joined": the corpus is one long text. */
  readonly documents: "isolated" | "joined";
  /** The run folder: tokens are kept in a cache beside it, for the runs after it. */
  readonly out: string;
}

export interface Corpus extends Disposable {
  readonly tokenizer: Tokenizer;
  readonly train: Tokens;
  readonly validation: Tokens;
  /** sha256 of each part's text. */
  readonly hashes: Readonly<Record<"train" | "validation", string>>;
}

type Part = "train" | "validation";

/** Open a corpus. Throws "source", "data" and "tokenizer" as the sources and the tokeniser do, and "disk" before anything is read. */
export async function openCorpus(o: CorpusOptions): Promise<Corpus> {
  const cache = join(dirname(o.out), ".cache");
  await makeFolder(cache);
  const made = await fingerprint(o.data, { text: o.text });
  const tail = !o.validation && (o.documents === "joined" || (await hasFew(o)));
  const read = (part: Part) => (tail ? documents(o.data, { text: o.text }) : partOf(o, part));
  const known = `${made} ${o.validationShare} ${o.validation?.join()}${tail ? " tail" : ""}`;
  const tokenizer = await tokenizerOf(o, cache, known, () => read("train"));
  const end = tokenizer.special.cls === undefined ? tokenizer.special.eos : undefined;
  const shards = async (part: Part) => {
    const from = part === "validation" && o.validation ? await fingerprint(o.validation, { text: o.text }) : made;
    const key = JSON.stringify([from, part, tail ? "tail" : o.validationShare, o.documents, !!o.validation]);
    return cachedShards(() => read(part), { tokenizer, cache, key, ...(end !== undefined && { end }) });
  };
  const whole = await shards("train");
  const cut = Math.floor(whole.header.tokens * (1 - o.validationShare));
  const train = tail ? await partOfTokens(whole, 0, cut) : whole;
  const validation = tail ? await partOfTokens(whole, cut, whole.header.tokens) : await shards("validation");
  if (!validation.header.tokens)
    throw fail("source", "no text is left to validate on", "name --validation, or raise --validation-share");
  return {
    tokenizer,
    train,
    validation,
    hashes: { train: whole.header.content, validation: validation.header.content },
    [Symbol.dispose]() {
      for (const tokens of new Set([whole, tail ? whole : validation])) tokens.close();
    },
  };
}

/** The documents of one part; built-in sources have a split of their own, others are split by a hash of each text. */
async function* partOf(o: CorpusOptions, part: Part): AsyncGenerator<Document> {
  if (part === "validation" && o.validation) return yield* documents(o.validation, { text: o.text });
  if (o.validation) return yield* documents(o.data, { text: o.text });
  for (const source of o.data) {
    if (isBuiltIn(source)) yield* documents(source, { text: o.text, split: part });
    else yield* hashed(documents(source, { text: o.text }), o.validationShare, part);
  }
}
const isBuiltIn = (source: string): boolean => source.startsWith("wordnet:");

/** With fewer documents than this, a split by documents would be a matter of luck: the tail is measured on instead. */
const few = 20;

async function hasFew(o: CorpusOptions): Promise<boolean> {
  if (o.data.some(isBuiltIn)) return false;
  let count = 0;
  for await (const { more } of documents(o.data, { text: o.text })) if (!more && ++count >= few) return false;
  return true;
}

/** Equal texts fall on the same side; a text in several pieces stays whole. */
async function* hashed(all: AsyncIterable<Document>, share: number, part: Part): AsyncGenerator<Document> {
  let side: Part | undefined;
  for await (const document of all) {
    side ??= hashText(normalise(document.text)) / 2 ** 32 < share ? "validation" : "train";
    if (side === part) yield document;
    if (!document.more) side = undefined;
  }
}

async function tokenizerOf(
  o: CorpusOptions,
  cache: string,
  made: string,
  texts: () => AsyncIterable<Document>,
): Promise<Tokenizer> {
  const kind = tokenizerKinds.find((known) => known === o.tokenizer);
  if (!kind) return loadTokenizer(o.tokenizer);
  const key = createHash("sha256")
    .update(`${made} ${kind} ${o.vocabSize}${o.sentinels ? ` ${o.sentinels}` : ""}`)
    .digest("hex")
    .slice(0, 24);
  const folder = join(cache, `tokenizer-${key}`);
  if (existsSync(join(folder, "tokenizer_config.json"))) return loadTokenizer(folder);
  const tokenizer = await trainTokenizer(textsOf(texts()), {
    kind: kind satisfies TokenizerKind,
    vocabSize: o.vocabSize,
    ...(o.sentinels !== undefined && { sentinels: o.sentinels }),
  });
  await tokenizer.save(folder);
  return tokenizer;
}

async function* textsOf(all: AsyncIterable<Document>): AsyncGenerator<string> {
  for await (const { text } of all) yield text;
}
