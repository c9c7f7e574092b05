/** The tables of a curve: scores, multipliers, costs, pay-back. */
import type { Arm, ArmRun, Curve } from "../curve.js";
import { type Efficiency, efficiency } from "../efficiency.js";
import type { ReportFacts } from "../facts.js";
import { range } from "../statistics.js";
import { left, right, type Table } from "../table.js";
import {
  bytes,
  capital,
  count,
  expense,
  flops,
  joules,
  metricName,
  payback,
  scoreRange,
  seconds,
  signedRange,
  timesRange,
} from "../words.js";

export const armNames = { adapted: "adapted", scratch: "from scratch" } as const satisfies Record<Arm, string>;

/** Scores of both arms at each size, with the multipliers. */
export function sizesTable(result: Efficiency): Table {
  return {
    title: `${capital(metricName(result.metric.name))} by labelled examples: minimum – median – maximum over seeds`,
    columns: [right("labels"), left("adapted"), left("from scratch"), left("difference, paired"), left("verdict")],
    rows: result.sizes.map((s) => [
      count(s.size),
      scoreRange(s.adapted),
      scoreRange(s.scratch),
      signedRange(s.difference),
      s.verdict,
    ]),
  };
}

/** The two multipliers at each size. */
export function multipliersTable(result: Efficiency): Table {
  return {
    title: "What it saved: minimum – median – maximum over seeds",
    columns: [
      right("labels"),
      left("data multiplier"),
      left("compute multiplier, FLOPs"),
      left("compute multiplier, seconds"),
    ],
    rows: result.sizes.map((s) => [
      count(s.size),
      timesRange(s.dataMultiplier),
      timesRange(s.computeMultiplier.flops),
      timesRange(s.computeMultiplier.seconds),
    ]),
    note:
      "Data multiplier: labels that training from scratch needs for the adapted score ÷ labels adapted. Compute multiplier: cost from " +
      "scratch of its best score ÷ cost adapted of first reaching that score.",
  };
}

/** What one run of each arm spent, and the pre-training beside them. */
export function costTable(curve: Curve, result: Efficiency): Table {
  const { size } = result.headline;
  const row = (arm: Arm): string[] => {
    const runs = curve.runs.filter((r) => r.arm === arm && r.size === size);
    const median = (f: (r: ArmRun) => number) => range(runs.map(f))?.median ?? 0;
    return [
      `${armNames[arm]}, ${count(size)} labels`,
      count(median((r) => r.cost.tokens)),
      flops(median((r) => r.cost.flops)),
      seconds(median((r) => r.cost.seconds)),
      joules(median((r) => r.cost.joules)),
      peak(range(runs.flatMap((r) => r.peakBytes ?? []))?.maximum),
      count(median((r) => r.trainableParameters)),
      rates(runs),
    ];
  };
  const p = curve.pretraining;
  return {
    title: "Cost of a whole run (median over seeds), and of pre-training, paid once",
    columns: [
      left("run"),
      right("tokens"),
      right("compute"),
      right("time"),
      right("energy"),
      right("peak memory"),
      right("trainable"),
      right("learning rate"),
    ],
    rows: [
      row("adapted"),
      row("scratch"),
      ...(p
        ? [
            [
              `pre-training of ${p.name}`,
              count(p.tokens),
              flops(p.flops),
              seconds(p.seconds),
              joules(p.joules),
              "",
              count(p.parameters),
              "",
            ],
          ]
        : []),
    ],
    note: `Energy: ${curve.energy.measured ? `measured, ${curve.energy.how}` : curve.energy.how}.`,
  };
}
const peak = (n: number | undefined) => (n === undefined ? "" : bytes(n));
const rates = (runs: readonly ArmRun[]) => [...new Set(runs.map((r) => `${r.learningRate}`))].join(", ");

/** How many adaptations repay the pre-training. */
export function paybackTable(result: Efficiency): Table | undefined {
  const { pretraining } = result;
  const sizes = result.sizes.filter((s) => s.payback);
  if (!pretraining || sizes.length === 0) return undefined;
  return {
    title: "When the pre-training is repaid, in adaptations like these",
    columns: [right("labels"), left("in FLOPs"), left("saved each time"), left("in seconds"), left("saved each time")],
    rows: sizes.map(({ size, payback: p }) => [
      count(size),
      payback(p!.flops),
      savings("flops", p!.flops.saved),
      payback(p!.seconds),
      savings("seconds", p!.seconds.saved),
    ]),
    note: "Saved: cost from scratch of its best score − cost adapted of reaching it, median over seeds. Labels saved are not counted.",
  };
}
const savings = (kind: "flops" | "seconds", saved: number) => (saved > 0 ? expense[kind](saved) : "nothing");

/** Several curves, a row each, at their smallest size. */
export function curvesTable(curves: NonNullable<ReportFacts["curves"]>): Table {
  return {
    title: "What pre-training saved: minimum – median – maximum over seeds",
    columns: [
      left("curve"),
      left("method"),
      right("labels"),
      left("metric"),
      left("adapted"),
      left("from scratch"),
      left("data multiplier"),
      left("compute multiplier"),
      left("verdict"),
    ],
    rows: curves.map(({ name, curve }) => {
      const { headline: at } = efficiency(curve);
      return [
        name,
        curve.method,
        count(at.size),
        metricName(curve.metric.name),
        scoreRange(at.adapted),
        scoreRange(at.scratch),
        timesRange(at.dataMultiplier),
        timesRange(at.computeMultiplier.flops),
        at.verdict,
      ];
    }),
  };
}
