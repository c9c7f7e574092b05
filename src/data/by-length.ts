/** Texts of different lengths in batches in which little is padding, of few sizes so that few programs are compiled. */

/** Members of a batch; it is read as `rows` rows of `length` tokens, of which those without a member are filler. */
export interface LengthBatch {
  readonly rows: number;
  readonly length: number;
  readonly members: readonly number[];
}

/** Batches over texts of so many tokens, the longest first; every text is in one of them. */
export function byLength(sizes: readonly number[], o: { batchSize: number; contextLength: number }): LengthBatch[] {
  const order = Array.from(sizes.keys()).sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  return Array.from({ length: Math.ceil(order.length / o.batchSize) }, (_, i) => {
    const members = order.slice(i * o.batchSize, (i + 1) * o.batchSize);
    const rows = Math.min(o.batchSize, 2 ** Math.ceil(Math.log2(members.length)));
    return { rows, length: Math.min(rounded(sizes[members[0]!]!), o.contextLength), members };
  });
}

/** To a multiple of 8, of long texts to a 16th of the power of two below: so at most a few dozen lengths, and little padding. */
function rounded(size: number): number {
  const step = Math.max(8, 2 ** Math.floor(Math.log2(Math.max(1, size))) / 16);
  return Math.max(step, Math.ceil(size / step) * step);
}
