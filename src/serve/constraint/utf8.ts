/** Ranges of characters as ranges of the bytes of UTF-8. */
import type { Range } from "./expression.js";

/** Where a character takes a byte more. */
const lengths = [0x7f, 0x7ff, 0xffff, 0x10ffff];
const surrogates: Range = [0xd800, 0xdfff];

/** Sequences of byte ranges that are together the range of code points; halves of surrogate pairs, which have no bytes, left out. */
export function utf8Ranges([from, to]: Range): Range[][] {
  if (from > to) return [];
  if (from <= surrogates[1] && to >= surrogates[0])
    return [...utf8Ranges([from, surrogates[0] - 1]), ...utf8Ranges([surrogates[1] + 1, to])];
  const limit = lengths.find((last) => from <= last)!;
  if (to > limit) return [...utf8Ranges([from, limit]), ...utf8Ranges([limit + 1, to])];
  return split(from, to);
}

/** Both of one length in bytes. Cut until every byte but the first that differs runs over all its values. */
function split(from: number, to: number): Range[][] {
  const length = bytes(from).length;
  for (let tail = 1; tail < length; tail++) {
    const block = 1 << (6 * tail);
    if (Math.floor(from / block) === Math.floor(to / block)) break;
    if (from % block)
      return [...split(from, from - (from % block) + block - 1), ...utf8Ranges([from - (from % block) + block, to])];
    if ((to + 1) % block) return [...utf8Ranges([from, to - (to % block) - 1]), ...split(to - (to % block), to)];
  }
  const [a, b] = [bytes(from), bytes(to)];
  return [a.map((low, i): Range => [low, b[i]!])];
}

const bytes = (code: number): number[] => [...new TextEncoder().encode(String.fromCodePoint(code))];
