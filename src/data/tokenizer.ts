/** Text to token ids and back, by the `tokenizers` package, from the `tokenizer.json` that every other tool reads. */
import { createHash } from "node:crypto";
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Tokenizer as Native } from "tokenizers";
import { fail, PlinthError } from "../ir/index.js";
import { makeFolder } from "../models/index.js";
import { type Chat, loadChat, specialsOf } from "./chat.js";
import { type TokenTexts, tokenTexts } from "./pieces.js";
import { bertJson, byteLevelJson, learnVocabulary, type TokenizerJson, type VocabularyOptions } from "./vocabulary.js";

const roles = {
  pad: ["[PAD]", "<pad>", "<|pad|>"],
  unk: ["[UNK]", "<unk>"],
  bos: ["[BOS]", "<s>", "<|begin_of_text|>", "<|startoftext|>", "<|endoftext|>"],
  eos: ["[EOS]", "</s>", "<|end_of_text|>", "<|endoftext|>"],
  cls: ["[CLS]", "<s>"],
  sep: ["[SEP]", "</s>"],
  mask: ["[MASK]", "<mask>"],
} as const;
export type Role = keyof typeof roles;

export interface EncodeOptions {
  /** BERT's [CLS] and [SEP], Llama's <s>, T5's </s>. Default false. */
  readonly specials?: boolean;
}

export interface Tokenizer {
  /** One more than the largest id: the rows an embedding needs. */
  readonly vocabSize: number;
  /** sha256 of the tokenizer.json: two tokenisers with one hash give the same ids. */
  readonly hash: string;
  readonly json: TokenizerJson;
  /** The ids of the special tokens there are. */
  readonly special: Readonly<Partial<Record<Role, number>>>;
  /** The ids that tokenizer.json itself puts around a text; absent where it puts none. */
  readonly frame?: { readonly before: readonly number[]; readonly after: readonly number[] };
  /** Ids that are no text: special tokens and holes in the numbering. */
  readonly isSpecial: (id: number) => boolean;
  /** 1 at each id that begins a word, 0 where a piece goes on with the one before it. */
  readonly startsWord: Uint8Array;
  /** Ids of a text, with the special tokens that tokenizer.json puts around one if asked for. Nothing is cut from a long text. */
  encode(text: string, o?: EncodeOptions): Promise<Int32Array>;
  /** Ids of many texts at once, on every core. */
  encodeBatch(texts: readonly string[], o?: EncodeOptions): Promise<Int32Array[]>;
  /** The text of ids, special tokens left out unless asked for. */
  decode(ids: ArrayLike<number>, o?: { specials?: boolean }): Promise<string>;
  /** The piece with an id, as it is written in the vocabulary; undefined for an id that is not in it. */
  token(id: number): string | undefined;
  id(token: string): number | undefined;
  /** What single tokens add to a text. Throws "tokenizer" where that depends on their neighbours. */
  texts(): TokenTexts;
  /** How the model was taught to read a chat, where its folder says. */
  readonly chat: Chat | undefined;
  /** Writes tokenizer.json and tokenizer_config.json into a folder. */
  save(folder: string): Promise<void>;
}

/** Learns a tokeniser from texts, which are read once and may be any number. Throws "tokenizer". */
export async function trainTokenizer(
  texts: AsyncIterable<string> | Iterable<string>,
  o: VocabularyOptions,
): Promise<Tokenizer> {
  return tokenizerOf(await learnVocabulary(texts, o));
}

/**
 * Reads a tokeniser from a `tokenizer.json`, or from a folder that has one, or BERT's `vocab.txt`, or GPT-2's `vocab.json`
 * and `merges.txt`. Throws "tokenizer" for anything else.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const there = await stat(path).catch(() => undefined);
  if (!there) throw fail("tokenizer", `there is no tokeniser at ${path}`, "give a tokenizer.json or a folder with one");
  if (!there.isDirectory()) return basename(path) === "vocab.txt" ? fromVocabTxt(path) : fromJson(path);
  const settings = await settingsIn(path);
  const has = async (name: string) => !!(await stat(join(path, name)).catch(() => undefined));
  if (await has("tokenizer.json")) return fromJson(join(path, "tokenizer.json"), settings);
  if ((await has("vocab.json")) && (await has("merges.txt"))) return fromMerges(path, settings);
  if (await has("vocab.txt")) return fromVocabTxt(join(path, "vocab.txt"), settings);
  throw fail(
    "tokenizer",
    `the folder ${path} has no tokeniser`,
    "it needs a tokenizer.json, or vocab.txt, or vocab.json and merges.txt",
  );
}

/** What tokenizer_config.json says beside a tokenizer.json. */
interface Settings {
  /** Special tokens by their names there: bos_token, … */
  readonly specials: Readonly<Record<string, string>>;
  readonly chat: Chat | undefined;
}

async function settingsIn(folder: string): Promise<Settings> {
  const path = join(folder, "tokenizer_config.json");
  const text = await readFile(path, "utf8").catch(() => "{}");
  const config = parse(text, path);
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw fail("tokenizer", "this file is not a JSON object", "save the model again", path);
  const chat = await loadChat(folder, config as Record<string, unknown>);
  return { specials: specialsOf(config as Record<string, unknown>), chat };
}

async function fromJson(path: string, settings?: Settings): Promise<Tokenizer> {
  const json = parse(await readFile(path, "utf8"), path) as Partial<TokenizerJson> | null;
  if (!json?.model || typeof json.model !== "object")
    throw fail("tokenizer", "this is not a tokenizer.json: it has no model", "save it with a tokenizers library", path);
  return tokenizerOf({ ...json, added_tokens: json.added_tokens ?? [] } as TokenizerJson, { at: path, ...settings });
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fail("tokenizer", `not valid JSON: ${(error as Error).message}`, "save the tokeniser again", path);
  }
}

async function fromVocabTxt(path: string, settings?: Settings): Promise<Tokenizer> {
  const words = (await readFile(path, "utf8")).replace(/\r?\n$/, "").split(/\r?\n/);
  const missing = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].filter((token) => !words.includes(token));
  if (missing.length) throw fail("tokenizer", `this vocab.txt lacks ${missing.join(", ")}`, "is it BERT's?", path);
  return tokenizerOf(bertJson(words), { at: path, ...settings });
}

async function fromMerges(folder: string, settings: Settings): Promise<Tokenizer> {
  const path = join(folder, "vocab.json");
  const vocab = parse(await readFile(path, "utf8"), path) as Record<string, number>;
  const pieces: string[] = [];
  for (const [piece, id] of Object.entries(vocab)) pieces[id] = piece;
  const lines = (await readFile(join(folder, "merges.txt"), "utf8")).split(/\r?\n/);
  const merges = lines.filter((line) => line && !line.startsWith("#version")).map((line) => line.split(" "));
  return tokenizerOf(byteLevelJson(pieces, merges as unknown as [string, string][]), { at: folder, ...settings });
}

/** A tokeniser from the content of a tokenizer.json; cutting and padding that it asks for are left out, since both are silent. */
async function tokenizerOf(
  given: TokenizerJson,
  { at, specials: named = {}, chat }: Partial<Settings> & { readonly at?: string } = {},
): Promise<Tokenizer> {
  const json: TokenizerJson = { ...given, truncation: null, padding: null };
  const text = JSON.stringify(json);
  requireCharacterMaps(json["normalizer"], at);
  const native = await open(text, at);
  const pieces: string[] = [];
  for (const [piece, id] of Object.entries(native.getVocab(true))) pieces[id] = piece;
  const ids = new Map(pieces.map((piece, id) => [piece, id] as const));
  const specials = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id));
  const isSpecial = (id: number) => specials.has(id) || pieces[id] === undefined;
  const special: Partial<Record<Role, number>> = {};
  const called = new Set(["bos_token", "eos_token"].map((key) => named[key]));
  for (const [role, names] of Object.entries(roles)) {
    // a folder's own word comes first; GPT-2's calls its end of text unknown as well, which no byte is
    const own = role === "unk" ? undefined : named[`${role}_token`];
    // what a folder calls <s> or </s> is nothing else, such as the first and last token of BERT's, unless it says so
    const guesses = names.filter((name) => role === "bos" || role === "eos" || !called.has(name));
    const name = [...(own === undefined ? [] : [own]), ...guesses].find((name) => ids.has(name));
    if (name !== undefined) special[role as Role] = ids.get(name)!;
  }
  const frame = await readFrame(native);
  const adding = (o: EncodeOptions = {}) => ({ addSpecialTokens: o.specials ?? false });
  return {
    vocabSize: pieces.length,
    hash: createHash("sha256").update(text).digest("hex"),
    json,
    special,
    ...(frame && { frame }),
    isSpecial,
    startsWord: wordStarts(pieces, json.model.type),
    encode: async (text, o) => Int32Array.from((await native.encode(text, null, adding(o))).getIds()),
    async encodeBatch(texts, o) {
      if (texts.length === 0) return [];
      const encodings = await native.encodeBatch(texts as string[], adding(o));
      return encodings.map((encoding) => Int32Array.from(encoding.getIds()));
    },
    decode: (ids, o = {}) => native.decode(Array.from(ids), !o.specials),
    token: (id) => pieces[id],
    id: (token) => ids.get(token),
    texts: () => tokenTexts(json, pieces, isSpecial),
    chat,
    save: (folder) => save(folder, { json, special, pieces, chat }),
  };
}

/** The tokenizers package ends the process at a map of characters that it cannot read. */
function requireCharacterMaps(normalizer: unknown, at: string | undefined): void {
  const n = normalizer as { type?: unknown; normalizers?: unknown; precompiled_charsmap?: unknown } | null | undefined;
  if (Array.isArray(n?.normalizers)) for (const one of n.normalizers) requireCharacterMaps(one, at);
  if (n?.type !== "Precompiled") return;
  const map = Buffer.from(String(n.precompiled_charsmap ?? ""), "base64");
  // the size of a tree, the tree in words of four bytes, and texts
  const size = map.length >= 4 ? map.readUInt32LE(0) : -1;
  if (size >= 0 && size % 4 === 0 && 4 + size <= map.length) return;
  throw fail("tokenizer", "its precompiled_charsmap is damaged", "save it again, or take that normalizer away", at);
}

/** What a tokeniser puts around a text, read off one. */
async function readFrame(native: Native): Promise<Tokenizer["frame"]> {
  const idsOf = async (addSpecialTokens: boolean) => (await native.encode("a", null, { addSpecialTokens })).getIds();
  const [plain, framed] = [await idsOf(false), await idsOf(true)];
  const first = framed.findIndex((_, i) => plain.every((id, j) => framed[i + j] === id));
  if (!plain.length || framed.length === plain.length || first < 0) return undefined;
  return { before: framed.slice(0, first), after: framed.slice(first + plain.length) };
}

async function open(text: string, at: string | undefined): Promise<Native> {
  const { Tokenizer } = await nativePackage();
  try {
    return Tokenizer.fromString(text);
  } catch (error) {
    if (error instanceof PlinthError) throw error;
    throw fail("tokenizer", `not a tokeniser: ${(error as Error).message}`, "save it with a tokenizers library", at);
  }
}

async function nativePackage(): Promise<typeof import("tokenizers")> {
  try {
    const loaded = await import("tokenizers");
    return loaded.default ?? loaded;
  } catch (error) {
    throw fail(
      "tokenizer",
      `the package tokenizers does not load on ${process.platform} ${process.arch}: ${(error as Error).message.split("\n")[0]}`,
      "run: npm install tokenizers (it brings binaries for Linux, macOS and Windows on x64 and arm64)",
    );
  }
}

/** Whether each piece begins a word, read off how its model writes pieces. */
function wordStarts(pieces: readonly string[], model: string): Uint8Array {
  const inside = pieces.some((piece) => piece?.startsWith("##")) ? /^##/ : undefined;
  const spaced = pieces.some((piece) => /^[Ġ▁]/.test(piece ?? ""));
  return Uint8Array.from({ length: pieces.length }, (_, id) => {
    const piece = pieces[id] ?? "";
    if (inside) return inside.test(piece) ? 0 : 1;
    if (model === "WordLevel" || !spaced) return 1;
    return /^([Ġ▁Ċĉ]|[^\p{L}\p{N}])/u.test(piece) ? 1 : 0;
  });
}

interface Saved {
  readonly json: TokenizerJson;
  readonly special: Partial<Record<Role, number>>;
  readonly pieces: readonly string[];
  readonly chat: Chat | undefined;
}

async function save(folder: string, { json, special, pieces, chat }: Saved): Promise<void> {
  const names = Object.entries(special).map(([role, id]) => [`${role}_token`, pieces[id]] as const);
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    ...Object.fromEntries(names),
    ...chat?.specials,
    ...(chat && { chat_template: chat.template }),
  };
  await makeFolder(folder);
  await put(join(folder, "tokenizer.json"), JSON.stringify(json, null, 1));
  await put(join(folder, "tokenizer_config.json"), JSON.stringify(config, null, 2));
}

async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.partial`, `${text}\n`);
  await rename(`${path}.partial`, path);
}
