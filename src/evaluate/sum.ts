/** Sums that do not depend on the order of their terms (Shewchuk 1997): partial sums that never overlap, rounded once at the end. */

/** An exact sum so far, as partials of growing size. */
export type ExactSum = readonly number[];

/** The sum with one more finite term. */
export function plus(sum: ExactSum, term: number): ExactSum {
  const partials: number[] = [];
  let x = term;
  for (const p of sum) {
    const [small, large] = Math.abs(x) < Math.abs(p) ? [x, p] : [p, x];
    const high = large + small;
    const low = small - (high - large);
    if (low !== 0) partials.push(low);
    x = high;
  }
  partials.push(x);
  return partials;
}

/** The sum as the nearest number, rounding half to even. */
export function total(sum: ExactSum): number {
  let i = sum.length - 1;
  if (i < 0) return 0;
  let high = sum[i]!;
  let low = 0;
  while (i > 0 && low === 0) {
    const x = high;
    const y = sum[--i]!;
    high = x + y;
    low = y - (high - x);
  }
  // half-way cases: the partials below decide which way to round
  if (i > 0 && Math.sign(low) === Math.sign(sum[i - 1]!)) {
    const twice = low * 2;
    const x = high + twice;
    if (twice === x - high) high = x;
  }
  return high;
}
