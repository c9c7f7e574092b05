/** A SentencePiece model as the tokenizer.json that transformers makes of it. */
import { readFileSync } from "node:fs";
import { Message } from "./onnx-reader.js";

/** Of `kind` "unigram" or "bpe", as the model was trained; BPE falls back to bytes. */
export function tokenizerJson(path: string, kind: "unigram" | "bpe"): object {
  const model = new Message(readFileSync(path));
  const pieces = model
    .messages(1)
    .map((m) => ({ piece: m.texts(1)[0]!, score: m.floats(2)[0] ?? 0, type: m.int(3, 1) }));
  const rules = model.messages(3)[0]!.bytes(2)[0];
  const special = pieces.flatMap(({ piece, type }, id) => (type === 2 || type === 3 ? [[piece, id] as const] : []));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const spaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const back = { type: "Replace", pattern: { String: "▁" }, content: " " };
  const mapped = rules?.length
    ? [{ type: "Precompiled", precompiled_charsmap: Buffer.from(rules).toString("base64") }]
    : [];
  // spaces at the ends and beside others are left out where the model says nothing else
  const trimmed = model.messages(3)[0]!.int(4, 1)
    ? [
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
        { type: "Replace", pattern: { Regex: "\\A | \\z" }, content: "" },
      ]
    : [];
  const common = { added_tokens: special.map(([content, id]) => ({ id, content, ...flags })), post_processor: null };
  if (kind === "unigram")
    return {
      ...common,
      normalizer: { type: "Sequence", normalizers: [...mapped, ...trimmed] },
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      model: {
        type: "Unigram",
        unk_id: 0,
        byte_fallback: false,
        vocab: pieces.map(({ piece, score }) => [piece, score]),
      },
    };
  return {
    ...common,
    normalizer: { type: "Sequence", normalizers: [...mapped, ...trimmed, { type: "Prepend", prepend: "▁" }, spaces] },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [back, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map(({ piece }, id) => [piece, id])),
      merges: mergesOf(pieces),
    },
  };
}

/** Pairs of pieces that are a piece together, those first that have the better score. */
function mergesOf(pieces: readonly { piece: string; score: number }[]): [string, string][] {
  const ids = new Map(pieces.map(({ piece }, id) => [piece, id]));
  return pieces
    .map(({ piece, score }) => ({ letters: Array.from(piece), score }))
    .flatMap(({ letters, score }) => {
      const pairs = letters
        .slice(1)
        .map((_, i) => [letters.slice(0, i + 1).join(""), letters.slice(i + 1).join("")] as const);
      const known = pairs.filter((pair) => pair.every((part) => ids.has(part)));
      known.sort(([a, b], [c, d]) => ids.get(a)! - ids.get(c)! || ids.get(b)! - ids.get(d)!);
      return known.map(([left, right]) => ({ pair: [left, right] as [string, string], score }));
    })
    .sort((a, b) => b.score - a.score)
    .map(({ pair }) => pair);
}
