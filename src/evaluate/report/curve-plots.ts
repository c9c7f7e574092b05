/** The plots of a curve: score by labels, progress by cost, loss by step, and what each arm spends. */
import * as Plot from "@observablehq/plot";
import type { Arm, ArmRun, Curve } from "../curve.js";
import type { Expense, SizeResult } from "../efficiency.js";
import { gain, grouped, range, reaches } from "../statistics.js";
import { count, expense, score, times, unitFor } from "../words.js";
import { armNames } from "./curve-tables.js";
import { axes, type Bar, colours, type Draw, draw, ruled } from "./plots.js";

// the adapted arm is drawn last: on top
const arms = ["scratch", "adapted"] as const satisfies readonly Arm[];

/** Score against labelled examples: a line through the medians, a band from minimum to maximum, a dot for each run. */
export function scorePlot(curve: Curve, metric: string, at: SizeResult): Draw {
  const groups = grouped(curve.runs, (r) => `${r.arm} ${r.size}`);
  const bands = [...groups.values()]
    .map((runs) => ({ arm: runs[0]!.arm, size: runs[0]!.size, ...range(runs.map((r) => r.score))! }))
    .sort((a, b) => a.size - b.size);
  const sizes = [...new Set(curve.runs.map((r) => r.size))].sort((a, b) => a - b);
  const said = arms.map((arm) => {
    const list = bands.filter((b) => b.arm === arm).map((b) => `${score(b.median)} at ${count(b.size)}`);
    return `${armNames[arm]} ${list.join(", ")}`;
  });
  return (width) =>
    draw({
      width,
      height: width < 500 ? 280 : 340,
      description: `${metric} against labelled examples. Medians: ${said.join("; ")}.`,
      x: { type: "log" },
      y: { nice: true, zero: curve.metric.goal === "max", grid: false },
      marks: [
        ruled(5),
        ...axes(
          { ticks: sizes, tickFormat: (n: number) => count(n), label: "labelled examples" },
          { ticks: 5, label: metric, labelAnchor: "top" },
        ),
        ...arms.map((arm) =>
          Plot.areaY(
            bands.filter((b) => b.arm === arm),
            { x: "size", y1: "minimum", y2: "maximum", fill: colours[arm], fillOpacity: 0.16 },
          ),
        ),
        ...arms.map((arm) =>
          Plot.line(
            bands.filter((b) => b.arm === arm),
            { x: "size", y: "median", stroke: colours[arm], strokeWidth: 2.5 },
          ),
        ),
        ...(curve.baseline === undefined
          ? []
          : [Plot.ruleY([curve.baseline], { stroke: "var(--muted)", strokeDasharray: "1 4", strokeWidth: 1.6 })]),
        ...saving(at, Math.max(...sizes), width < 500),
        ...arms.map((arm) => dots(arm, curve.runs, "size", "score")),
      ],
    });
}

/** The data multiplier as a measure between the two curves: from the labels adapted to the labels from scratch at the same score. */
function saving({ size, adapted, dataMultiplier }: SizeResult, largest: number, small: boolean): Plot.Markish[] {
  const found = dataMultiplier?.median;
  if (!found || found.bound === "at most" || found.value < 1.5) return [];
  const end = Math.min(largest, size * found.value);
  const line = [{ x1: size, x2: end, y: adapted.median, middle: Math.sqrt(size * end) }];
  return [
    Plot.arrow(line, {
      x1: "x1",
      x2: "x2",
      y1: "y",
      y2: "y",
      stroke: "var(--muted)",
      strokeDasharray: "2 4",
      strokeWidth: 1.4,
      inset: 7,
      headLength: 6,
    }),
    Plot.text(line, {
      x: "middle",
      y: "y",
      text: () => (small ? times(found) : `${times(found)} the labels for the same score`),
      dy: 13,
      fill: "var(--text)",
      fontWeight: 600,
      stroke: "var(--card)",
      strokeWidth: 5,
    }),
  ];
}

/** Filled for adapted, hollow for from scratch: told apart without colour. */
const dots = (arm: Arm, runs: readonly ArmRun[], x: string, y: string): Plot.Markish =>
  Plot.dot(
    runs.filter((r) => r.arm === arm),
    { x, y, r: 3.2, stroke: colours[arm], strokeWidth: 1.6, fill: arm === "adapted" ? colours[arm] : "var(--card)" },
  );

/** Score along training against what it cost, each seed a line, at one size. */
export function progressPlot(curve: Curve, size: number, kind: Expense, metric: string): Draw | undefined {
  const runs = curve.runs.filter((r) => r.size === size && r.points.length > 1);
  if (runs.length === 0) return undefined;
  const { goal } = curve.metric;
  const tops = runs.filter((r) => r.arm === "scratch").map((r) => best(r, goal));
  const target = range(tops)?.median;
  const lines = runs.flatMap((r) => r.points.map((p) => ({ arm: r.arm, seed: r.seed, cost: p[kind], score: p.score })));
  const most = Math.max(...lines.map((p) => p.cost));
  const { divide, unit } = unitFor(most, kind);
  return (width) =>
    draw({
      width,
      height: width < 500 ? 260 : 300,
      description:
        `${metric} on validation examples along training with ${count(size)} labels, against ${unit}: adapted and from scratch, ` +
        `one line for each seed${target === undefined ? "" : `; the best from scratch is ${score(target)}`}.`,
      x: { domain: [0, most / divide] },
      y: { nice: true, zero: goal === "max" },
      marks: [
        ruled(5),
        ...axes(
          { ticks: width < 500 ? 4 : 6, label: `training cost, ${unit}` },
          { ticks: 5, label: `validation ${metric}` },
        ),
        ...(target === undefined
          ? []
          : [Plot.ruleY([target], { stroke: colours.scratch, strokeDasharray: "4 4", strokeWidth: 1.2 })]),
        ...arms.map((arm) =>
          Plot.line(
            lines.filter((p) => p.arm === arm),
            {
              x: (p) => p.cost / divide,
              y: "score",
              z: "seed",
              stroke: colours[arm],
              strokeWidth: 1.8,
              strokeOpacity: 0.85,
            },
          ),
        ),
      ],
    });
}
const best = (run: ArmRun, goal: "max" | "min"): number =>
  run.points.map((p) => p.score).reduce((a, b) => (gain(b, a, goal) > 0 ? b : a));

/** Losses along training: one line for each seed and arm, at one size. */
export function lossPlot(curve: Curve, size: number): Draw | undefined {
  const lines = curve.runs
    .filter((r) => r.size === size)
    .flatMap((r) =>
      r.points.flatMap((p) => (p.loss === undefined ? [] : { arm: r.arm, seed: r.seed, step: p.step, loss: p.loss })),
    );
  if (lines.length < 2) return undefined;
  return (width) =>
    draw({
      width,
      height: width < 500 ? 260 : 300,
      description: `Training loss by step with ${count(size)} labels: adapted and from scratch, one line for each seed.`,
      x: {},
      y: { nice: true, zero: true },
      marks: [
        ruled(5),
        ...axes(
          { ticks: width < 500 ? 4 : 6, tickFormat: (n: number) => count(n), label: "step" },
          { ticks: 5, label: "training loss, nats" },
        ),
        ...arms.map((arm) =>
          Plot.line(
            lines.filter((p) => p.arm === arm),
            { x: "step", y: "loss", z: "seed", stroke: colours[arm], strokeWidth: 1.8, strokeOpacity: 0.85 },
          ),
        ),
      ],
    });
}

/** What each arm spends to reach the best score from scratch, a bar each; a run that never gets there counts all it spent. */
export function expenseBars(curve: Curve, size: number, kind: Expense): { bars: Bar[]; missed: number } | undefined {
  const { goal } = curve.metric;
  const pairs = [
    ...grouped(
      curve.runs.filter((r) => r.size === size && r.points.length > 0),
      (r) => r.seed,
    ).values(),
  ];
  let missed = 0;
  const spent: Record<Arm, number[]> = { adapted: [], scratch: [] };
  for (const runs of pairs) {
    const scratch = runs.find((r) => r.arm === "scratch");
    const adapted = runs.find((r) => r.arm === "adapted");
    if (!scratch || !adapted) continue;
    const target = best(scratch, goal);
    const at = (run: ArmRun) => run.points.find((p) => reaches(p.score, target, goal));
    if (!at(adapted)) missed++;
    spent.scratch.push(at(scratch)![kind]);
    spent.adapted.push((at(adapted) ?? adapted.cost)[kind]);
  }
  if (spent.adapted.length === 0) return undefined;
  const bar = (arm: Arm): Bar => {
    const r = range(spent[arm])!;
    return { name: armNames[arm], colour: colours[arm], ...r, text: expense[kind](r.median) };
  };
  return { bars: [bar("adapted"), bar("scratch")], missed };
}
