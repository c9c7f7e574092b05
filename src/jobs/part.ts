/** A stretch of a corpus as a corpus of its own: how one long text is split. */
import { join } from "node:path";
import type { Tokens } from "../data/index.js";
import { makeFolder } from "../models/index.js";

/** Tokens [from, to); the documents at its ends are cut. What is made of it is kept in a folder of its own. Throws `disk`. */
export async function partOfTokens(tokens: Tokens, from: number, to: number): Promise<Tokens> {
  const { header } = tokens;
  const folder = join(tokens.folder, `${from}-${to}`);
  await makeFolder(folder);
  const first = documentAt(tokens, from);
  const documents = to > from ? documentAt(tokens, to - 1) + 1 - first : 0;
  const share = header.tokens ? (to - from) / header.tokens : 0;
  return {
    ...tokens,
    folder,
    header: { ...header, documents, tokens: to - from, bytes: Math.round(header.bytes * share) },
    offset: (index) => Math.min(to, Math.max(from, tokens.offset(first + index))) - from,
    read: (start, end, out, at) => tokens.read(start + from, end + from, out, at),
  };
}

/** The document that token `at` is in. */
function documentAt({ header, offset }: Tokens, at: number): number {
  let [low, high] = [0, header.documents];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (offset(middle) <= at) low = middle;
    else high = middle;
  }
  return low;
}
