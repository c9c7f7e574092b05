/** Texts of different lengths in batches in which little is padding, of few sizes so that few programs are compiled. */

/** Members of a batch; it is read as `rows` rows of `length` tokens, of which those without a member are filler. */
export interface LengthBatch {
  readonly rows: number;
  readonly length: number;
  readonly members: readonly number[];
}

/** Tokens of padding for which no program of another length is planned: that costs more at once, and less from then on. */
const dear = 64;

/** Batches over texts of so many tokens, the longest first; every text is in one of them. */
export function byLength(sizes: readonly number[], o: { batchSize: number; contextLength: number }): LengthBatch[] {
  const order = Array.from(sizes.keys()).sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  let [length, wasted] = [0, 0];
  return Array.from({ length: Math.ceil(order.length / o.batchSize) }, (_, i) => {
    const members = order.slice(i * o.batchSize, (i + 1) * o.batchSize);
    const rows = Math.min(o.batchSize, 2 ** Math.ceil(Math.log2(members.length)));
    const own = Math.min(Math.max(1, sizes[members[0]!]!), o.contextLength);
    wasted += (length - own) * rows;
    // the last length does as long as little of it is padding
    if (!length || wasted > dear) [length, wasted] = [own, 0];
    return { rows, length, members };
  });
}
