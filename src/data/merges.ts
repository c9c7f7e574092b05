/** Byte-pair encoding, the learning half: which neighbouring pieces to join, most frequent first (Sennrich et al., 2016). */

export interface Pieces {
  /** Every piece, the starting alphabet first, then one for each merge that made a new one. */
  readonly pieces: readonly string[];
  /** The pairs joined, in order. */
  readonly merges: readonly (readonly [string, string])[];
}

export interface MergeOptions {
  /** Each distinct word as its starting pieces, with how often it occurs. */
  readonly words: Iterable<readonly [readonly string[], number]>;
  /** Pieces that exist whether or not a word has them. */
  readonly alphabet?: readonly string[];
  /** Stop at this many pieces. */
  readonly size: number;
  /** Pairs seen less often are not joined. Default 2. */
  readonly minFrequency?: number;
  /** How two pieces are written as one. Default: one after the other. */
  readonly join?: (left: string, right: string) => string;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: Set<number>;
}

/** Learns merges. Of equally frequent pairs the lexicographically greater is joined, so the result depends on counts alone. */
export function learnMerges(o: MergeOptions): Pieces {
  const join = o.join ?? ((left, right) => left + right);
  const pieces: string[] = [];
  const idOf = new Map<string, number>();
  const add = (piece: string) => {
    const known = idOf.get(piece);
    if (known !== undefined) return known;
    pieces.push(piece);
    idOf.set(piece, pieces.length - 1);
    return pieces.length - 1;
  };
  for (const piece of o.alphabet ?? []) add(piece);
  const words: number[][] = [];
  const counts: number[] = [];
  for (const [symbols, count] of o.words) {
    words.push(symbols.map(add));
    counts.push(count);
  }
  const pairs = new Pairs(pieces);
  for (const [w, word] of words.entries()) pairs.count(word, counts[w]!, w);
  pairs.settle();
  const merges: (readonly [string, string])[] = [];
  while (pieces.length < o.size) {
    const best = pairs.best();
    if (!best || best.count < (o.minFrequency ?? 2)) break;
    const joined = add(join(pieces[best.left]!, pieces[best.right]!));
    merges.push([pieces[best.left]!, pieces[best.right]!]);
    for (const w of best.words) {
      const word = words[w]!;
      pairs.count(word, -counts[w]!, w);
      words[w] = joinPair(word, best, joined);
      pairs.count(words[w]!, counts[w]!, w);
    }
    pairs.settle();
  }
  return { pieces, merges };
}

function joinPair(word: readonly number[], pair: Pair, joined: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; i++)
    if (word[i] === pair.left && word[i + 1] === pair.right) {
      out.push(joined);
      i++;
    } else out.push(word[i]!);
  return out;
}

/** Counts of neighbouring pieces, and a heap whose stale entries are put right when they reach the top. */
class Pairs {
  readonly #table = new Map<number, Pair>();
  readonly #touched = new Set<Pair>();
  readonly #heap: { pair: Pair; count: number }[] = [];

  constructor(readonly pieces: readonly string[]) {}

  /** Adds `by` for each neighbouring pair of one word, numbered `w`. */
  count(word: readonly number[], by: number, w: number): void {
    for (let i = 0; i + 1 < word.length; i++) {
      const key = word[i]! * 2 ** 26 + word[i + 1]!;
      let pair = this.#table.get(key);
      if (!pair) {
        pair = { left: word[i]!, right: word[i + 1]!, count: 0, words: new Set() };
        this.#table.set(key, pair);
      }
      pair.count += by;
      if (by > 0) {
        pair.words.add(w);
        this.#touched.add(pair);
      }
    }
  }

  /** Queues every pair whose count rose since the last call. */
  settle(): void {
    for (const pair of this.#touched) this.#push({ pair, count: pair.count });
    this.#touched.clear();
  }

  best(): Pair | undefined {
    for (let top = this.#pop(); top; top = this.#pop()) {
      if (top.count === top.pair.count) return top.count > 0 ? top.pair : undefined;
      if (top.pair.count > 0 && top.pair.count < top.count) this.#push({ pair: top.pair, count: top.pair.count });
    }
    return undefined;
  }

  #before(a: { pair: Pair; count: number }, b: { pair: Pair; count: number }): boolean {
    if (a.count !== b.count) return a.count > b.count;
    const [left, right] = [this.pieces[a.pair.left]!, this.pieces[b.pair.left]!];
    return left === right ? this.pieces[a.pair.right]! > this.pieces[b.pair.right]! : left > right;
  }

  #push(entry: { pair: Pair; count: number }): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): { pair: Pair; count: number } | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}
