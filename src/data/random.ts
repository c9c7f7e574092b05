/** Random numbers that are a function of where they are used: a seed and a place, never a position in a sequence. */

/** The 32-bit finaliser of MurmurHash3 (Appleby, 2011): every input bit reaches every output bit. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A 32-bit hash of a seed and whole numbers below 2^53. */
export function hash(seed: number, ...parts: readonly number[]): number {
  let state = mix((seed >>> 0) ^ 0x9e3779b9);
  for (const part of [Math.floor(seed / 2 ** 32), ...parts])
    state = mix(state ^ mix((part >>> 0) + 0x9e3779b9) ^ Math.imul(Math.floor(part / 2 ** 32) + 1, 0x85ebca77));
  return state;
}

/** A 32-bit hash (FNV-1a) of a text's UTF-16 units, finished by `mix`. */
export function hashText(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return mix(state >>> 0);
}

export interface Random {
  /** A number in [0, 1) with 32 random bits. */
  uniform(): number;
  /** A whole number in [0, n), for n up to 2^32. */
  below(n: number): number;
  /** The array in random order, in place (Fisher and Yates, 1938; Durstenfeld, 1964). */
  shuffle<T>(values: T[]): T[];
}

/** Random numbers for one place, such as `(seed, batch, row)`: SplitMix (Steele et al., 2014) in 32 bits, started from their hash. */
export function random(seed: number, ...place: readonly number[]): Random {
  let state = hash(seed, ...place);
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state);
  };
  const below = (n: number) => Math.floor((next() / 2 ** 32) * n);
  return {
    uniform: () => next() / 2 ** 32,
    below,
    shuffle(values) {
      for (let i = values.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [values[i], values[j]] = [values[j]!, values[i]!];
      }
      return values;
    },
  };
}

/**
 * A permutation of [0, n) as a function: nothing is stored, so an epoch's order costs no memory whatever the corpus.
 * A six-round Feistel network (Luby and Rackoff, 1988) over the next even power of two, walked until it lands below n.
 */
export function permutation(n: number, seed: number, epoch: number): (index: number) => number {
  const half = 2 ** Math.max(1, Math.ceil(Math.log2(Math.max(2, n)) / 2));
  const keys = Array.from({ length: 6 }, (_, round) => hash(seed, epoch, round));
  const scramble = (x: number) => {
    let left = Math.floor(x / half);
    let right = x % half;
    for (const key of keys) [left, right] = [right, (left ^ mix(right ^ key)) & (half - 1)];
    return left * half + right;
  };
  return (index) => {
    let x = scramble(index);
    while (x >= n) x = scramble(x);
    return x;
  };
}
