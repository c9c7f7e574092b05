/** What a work's rounds say: medians, ratios, memory, the share of the peak, and whether the limits are kept. */
import { median } from "../machine.js";
import type { Measured } from "./sides.js";
import type { Work } from "./works.js";

/** Each side's rounds. */
export type Rounds = Readonly<Record<string, readonly Measured[]>>;
/** A limit, what was measured, and whether it holds. */
type Verdict = readonly [kind: string, limit: number, measured: number, holds: boolean];

const digits = (x: number, n = 3) => Number(x.toPrecision(n));
const middle = (rounds: readonly Measured[]) => median(rounds.map((x) => x.median));
const memory = (rounds: readonly Measured[]) => median(rounds.map((x) => x.memoryMB));

export function summary(work: Work, rounds: Rounds, at: { readonly peak: number; readonly busy: number }) {
  const each = <T>(f: (rounds: readonly Measured[]) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(rounds).map(([side, measured]) => [side, f(measured)]));
  const share = (r: readonly Measured[]) => work.gigaflops / (middle(r) / 1e3) / at.peak;
  const torch = fastestOf(rounds, Object.keys(work.torch.settings));
  const comparisons = ["native", "ort"].flatMap((own) =>
    ["native", "ort", torch, "gpt.mjs"].flatMap((other) => {
      const [a, b] = [rounds[own], other === undefined ? undefined : rounds[other]];
      if (own === other || (own === "ort" && other === "native") || !a || !b) return [];
      return [[`${own} / ${other}`, compared(a, b)] as const];
    }),
  );
  return {
    what: work.what,
    millisecondsPerStep: each((r) => r.map((x) => digits(x.median, 4))),
    fastestStep: each((r) => {
      const told = r.flatMap((x) => x.fastest ?? []);
      return told.length ? digits(Math.min(...told), 4) : null;
    }),
    peakMemoryMB: each(memory),
    measuredPeakGFLOPs: Math.round(at.peak),
    shareOfPeak: each((r) => digits(share(r), 2)),
    fastestTorch: torch,
    ratios: Object.fromEntries(comparisons),
    limits: verdicts(work, rounds, { torch, share }),
    busyBefore: digits(at.busy, 2),
  };
}

const fastestOf = (rounds: Rounds, names: readonly string[]): string | undefined =>
  names.filter((name) => rounds[name]).sort((a, b) => middle(rounds[a]!) - middle(rounds[b]!))[0];

/** Time and memory over another's, of the medians; and the time of each round. */
function compared(own: readonly Measured[], other: readonly Measured[]) {
  return {
    time: digits(middle(own) / middle(other)),
    rounds: own.flatMap((x, i) => (other[i] ? digits(x.median / other[i].median) : [])),
    memory: digits(memory(own) / memory(other)),
  };
}

function verdicts(
  { limits }: Work,
  rounds: Rounds,
  of: { torch: string | undefined; share: (r: readonly Measured[]) => number },
): Verdict[] {
  const [native, ort, torch] = [rounds["native"], rounds["ort"], of.torch ? rounds[of.torch] : undefined];
  const most = (kind: string, limit: number | undefined, measured: number): Verdict[] =>
    limit === undefined ? [] : [[kind, limit, digits(measured), measured <= limit]];
  if (!native) return [];
  const share = of.share(native);
  return [
    ...(torch ? most("time over PyTorch, at most", limits.time, middle(native) / middle(torch)) : []),
    ...(torch ? most("memory over PyTorch, at most", limits.memory, memory(native) / memory(torch)) : []),
    ...(ort ? most("time over ort, at most", 0.65, middle(native) / middle(ort)) : []),
    ...(limits.share === undefined
      ? []
      : [["share of the peak, at least", limits.share, digits(share), share >= limits.share] as const]),
  ];
}
