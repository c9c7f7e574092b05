/** The text of each token of a tokeniser by itself, as its decoder puts them together. */
import { fail } from "../ir/index.js";
import { byteLetters, type TokenizerJson } from "./vocabulary.js";

/** What tokens add to a text. */
export interface TokenTexts {
  /** UTF-8 by id; undefined for an id that is no text. */
  readonly bytes: readonly (Uint8Array | undefined)[];
  /** The decoder takes a space from the front of a text. */
  readonly stripsSpace: boolean;
}

interface Decoder {
  readonly type: string;
  readonly decoders?: readonly Decoder[];
  readonly pattern?: { readonly String?: string };
  readonly content?: string;
  readonly replacement?: string;
  readonly prepend_scheme?: string;
  readonly add_prefix_space?: boolean;
  readonly start?: number;
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const letterBytes = new Map(byteLetters.map((letter, byte) => [letter, byte]));

/** Throws "tokenizer" for a decoder under which a token's text depends on its neighbours. */
export function tokenTexts(
  json: TokenizerJson,
  pieces: readonly (string | undefined)[],
  isSpecial: (id: number) => boolean,
): TokenTexts {
  const decoder = json["decoder"] as Decoder | null | undefined;
  const steps = decoder?.type === "Sequence" ? decoder.decoders! : decoder ? [decoder] : [];
  const added = new Set(json.added_tokens.map(({ id }) => id));
  const known = steps.every(({ type }) => type in kinds);
  if (!steps.length || !known)
    throw fail(
      "tokenizer",
      `a decoder of the kind ${steps.map(({ type }) => type).join(", ") || "none"} says nothing of single tokens`,
      "constraints need a tokeniser whose tokens are joined as they are: byte-level BPE, SentencePiece or characters",
    );
  const text = (piece: string) => steps.reduce<string | Uint8Array>((t, step) => kinds[step.type]!(t, step), piece);
  return {
    bytes: pieces.map((piece, id) => {
      if (piece === undefined || isSpecial(id)) return undefined;
      const made = added.has(id) ? piece : text(piece);
      return typeof made === "string" ? utf8(made) : made;
    }),
    stripsSpace: steps.some(stripsSpace),
  };
}

const stripsSpace = ({ type, ...d }: Decoder): boolean =>
  (type === "Metaspace" && (d.prepend_scheme ? d.prepend_scheme !== "never" : d.add_prefix_space !== false)) ||
  (type === "Strip" && (d.start ?? 0) > 0);

/** What each kind of decoder makes of one token. */
const kinds: Readonly<Record<string, (text: string | Uint8Array, d: Decoder) => string | Uint8Array>> = {
  ByteLevel: (text) =>
    typeof text === "string" && Array.from(text).every((letter) => letterBytes.has(letter))
      ? Uint8Array.from(Array.from(text), (letter) => letterBytes.get(letter)!)
      : text,
  ByteFallback: (text) => {
    const byte = typeof text === "string" ? /^<0x([0-9A-F]{2})>$/.exec(text) : null;
    return byte ? Uint8Array.of(Number.parseInt(byte[1]!, 16)) : text;
  },
  Metaspace: (text, d) => (typeof text === "string" ? text.replaceAll(d.replacement ?? "▁", " ") : text),
  Replace: (text, d) =>
    typeof text === "string" && d.pattern?.String !== undefined
      ? text.replaceAll(d.pattern.String, d.content ?? "")
      : text,
  Fuse: (text) => text,
  Strip: (text) => text,
};
