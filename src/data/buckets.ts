/** Examples of different sizes in batches of a few lengths, so that little is padding and few programs are compiled. */
import { fail } from "../ir/index.js";
import { permutation, random } from "./random.js";

export interface BucketOptions {
  readonly batchSize: number;
  readonly seed: number;
  /** At most this many lengths, chosen to waste the least; fewer when the data are few. Default 4. */
  readonly buckets?: number;
  /** Use these lengths, ascending, instead of choosing: then training and evaluation share compiled programs. */
  readonly lengths?: readonly number[];
  /** No length exceeds this. Default: the longest example. */
  readonly contextLength?: number;
  /** Random order; otherwise shortest bucket first, each in the data's order. Default true. */
  readonly shuffle?: boolean;
}

export interface Buckets {
  /** The lengths that batches come in, ascending. */
  readonly lengths: readonly number[];
  /** Batches in which every example has come once. */
  readonly perEpoch: number;
  /** Pure: the same index gives the same examples. */
  group(index: number): Group;
}

/** A batch's examples, and the length that all of them fit. */
export interface Group {
  readonly length: number;
  readonly members: readonly number[];
}

/** Examples, by their sizes in tokens, to batches of one length each. Throws "overflow" when one is longer than all lengths given. */
export function bucketed(sizes: readonly number[], o: BucketOptions): Buckets {
  const { batchSize } = o;
  const longest = sizes.reduce((a, b) => Math.max(a, b));
  const most = Math.max(1, Math.min(o.buckets ?? 4, Math.floor(sizes.length / (2 * batchSize))));
  const limit = o.contextLength ?? longest;
  const lengths = o.lengths ?? chooseLengths(sizes, most).map((length) => Math.min(length, limit));
  if (longest > lengths.at(-1)!)
    throw fail(
      "overflow",
      `an example has ${longest} tokens, batches at most ${lengths.at(-1)}`,
      "encode with that contextLength",
    );
  const buckets: number[][] = lengths.map(() => []);
  for (const [i, size] of sizes.entries()) buckets[lengths.findIndex((length) => size <= length)]!.push(i);
  const perEpoch = buckets.reduce((sum, bucket) => sum + Math.ceil(bucket.length / batchSize), 0);
  let kept: { epoch: number; groups: Group[] } | undefined; // the same for the same epoch: a cache, not state
  return {
    lengths,
    perEpoch,
    group(index) {
      const epoch = o.shuffle === false ? 0 : Math.floor(index / perEpoch);
      if (kept?.epoch !== epoch) kept = { epoch, groups: epochGroups(buckets, lengths, epoch, o) };
      return kept.groups[index % perEpoch]!;
    },
  };
}

function epochGroups(buckets: number[][], lengths: readonly number[], epoch: number, o: BucketOptions): Group[] {
  const groups: Group[] = [];
  for (const [k, bucket] of buckets.entries()) {
    const order = permutation(bucket.length, o.seed, epoch);
    const members = o.shuffle === false ? bucket : bucket.map((_, i) => bucket[order(i)]!);
    for (let from = 0; from < members.length; from += o.batchSize)
      groups.push({ length: lengths[k]!, members: members.slice(from, from + o.batchSize) });
  }
  return o.shuffle === false ? groups : random(o.seed, epoch).shuffle(groups);
}

/** At most `most` multiples of 8 that cover all lengths with the least padding: dynamic programming over the histogram. */
function chooseLengths(of: readonly number[], most: number): number[] {
  const steps = of.reduce((most, length) => Math.max(most, Math.ceil(length / 8)), 1);
  const count = new Array<number>(steps + 1).fill(0);
  for (const length of of) count[Math.ceil(Math.max(1, length) / 8)]!++;
  const below = count.map(
    (
      (sum) => (n) =>
        (sum += n)
    )(0),
  );
  // best[k][s]: least total length when k buckets cover everything up to s
  let best = below.map((n, s) => ({ total: n * s, lengths: [8 * s] }));
  for (let k = 2; k <= most; k++) {
    const previous = best;
    best = previous.map((one, s) => {
      let found = one;
      for (let t = 1; t < s; t++) {
        const total = previous[t]!.total + (below[s]! - below[t]!) * s;
        if (total < found.total) found = { total, lengths: [...previous[t]!.lengths, 8 * s] };
      }
      return found;
    });
  }
  return best[steps]!.lengths;
}
