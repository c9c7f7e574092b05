/** One size dial: layers, heads and width from a number of parameters. */
import type { Dial } from "./family.js";

export interface Proportions {
  readonly layers: number;
  readonly heads: number;
  readonly hiddenSize: number;
}

/** How many squares of the width a layer has: 4 of attention and 8 of the MLP, unless told otherwise. */
const decoderSquares = 12;

/**
 * Layers, heads and width whose parameter count is nearest to `size`, preferring a width near 64 per layer, the
 * shape GPT-2 and BERT share at every scale; heads are 64 wide, 32 below a width of 256.
 */
export function proportions({
  size,
  vocabSize,
  contextLength,
  squares = decoderSquares,
}: Dial & { readonly squares?: number }): Proportions {
  let best: Proportions = { layers: 1, heads: 1, hiddenSize: 32 };
  let least = Number.POSITIVE_INFINITY;
  for (let layers = 1; layers <= 96; layers++) {
    for (let hiddenSize = 32; hiddenSize <= 12_288; hiddenSize += hiddenSize < 512 ? 32 : 64) {
      const count = (vocabSize + contextLength) * hiddenSize + layers * squares * hiddenSize ** 2;
      const miss = Math.abs(Math.log(count / size));
      const odd = Math.abs(Math.log(hiddenSize / (64 * layers)));
      const headSize = hiddenSize < 256 || hiddenSize % 64 ? 32 : 64;
      if (miss + 0.05 * odd < least) {
        least = miss + 0.05 * odd;
        best = { layers, heads: hiddenSize / headSize, hiddenSize };
      }
    }
  }
  return best;
}
