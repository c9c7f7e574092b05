/** The plots of a report: Observable Plot drawn to inline SVG, without a browser. Colours are the page's own, by name. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Arm, ArmRun, Curve } from "../curve.js";
import type { Expense } from "../efficiency.js";
import { gain, grouped, range, reaches } from "../statistics.js";
import { count, expense, score } from "../words.js";
import { type Markup, trusted } from "./html.js";
import { armNames } from "./tables.js";

/** A plot at any width: wide for a page, narrow for a phone. */
export type Draw = (width: number) => Markup;

export const colours = { adapted: "var(--adapted)", scratch: "var(--scratch)", pretraining: "var(--pretraining)" };
const arms = ["scratch", "adapted"] as const satisfies readonly Arm[];

interface Frame {
  readonly width: number;
  readonly height: number;
  /** What the plot shows, for those who cannot see it. */
  readonly description: string;
  readonly x: Plot.ScaleOptions;
  readonly y: Plot.ScaleOptions;
  readonly marks: Plot.Markish[];
  readonly margins?: { readonly left?: number; readonly right?: number; readonly top?: number };
}

function draw({ width, height, description, x, y, marks, margins = {} }: Frame): Markup {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({
    document,
    width,
    height,
    marginLeft: margins.left ?? 48,
    marginRight: margins.right ?? 20,
    marginTop: margins.top ?? 26,
    marginBottom: 44,
    style: { fontSize: "12px", fontFamily: "inherit", background: "none", overflow: "visible" },
    x,
    y,
    marks,
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", description);
  // one figure is one image: its parts are not read out one by one
  for (const part of svg.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");
  return trusted(svg.outerHTML);
}

const axisText = { fill: "var(--muted)" } as const;
const ruled = (ticks: number): Plot.Markish => Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1, ticks });
const axes = (x: Plot.AxisXOptions, y: Plot.AxisYOptions): Plot.Markish[] => [
  Plot.axisX({ ...axisText, tickSize: 0, tickPadding: 8, labelArrow: "none", labelAnchor: "center", ...x }),
  Plot.axisY({ ...axisText, tickSize: 0, tickPadding: 8, labelArrow: "none", ...y }),
];

/** Score against labelled examples: a line through the medians, a band from minimum to maximum, a dot for each run. */
export function scorePlot(curve: Curve, metric: string): Draw {
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
        ...arms.map((arm) => dots(arm, curve.runs, "size", "score")),
      ],
    });
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
  const { divide, unit } = scaleOf(most, kind);
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

function scaleOf(most: number, kind: Expense): { divide: number; unit: string } {
  const text = expense[kind](most);
  if (kind === "seconds") return most < 100 ? { divide: 1, unit: "seconds" } : { divide: 60, unit: "minutes" };
  const unit = text.slice(text.indexOf(" ") + 1);
  const prefix = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 }[unit.length > 1 ? unit[0]! : ""];
  const known = prefix && unit.endsWith(kind === "flops" ? "FLOP" : "J") ? prefix : 1;
  return { divide: unit === "FLOP" || unit === "J" ? 1 : known, unit };
}

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

/** One run's losses by step. */
export interface LossLine {
  readonly name: string;
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  /** Held-out losses, drawn as dots. */
  readonly held?: readonly { readonly step: number; readonly loss: number }[];
}

/** Loss along pre-training. Long runs are thinned to what a page can show. */
export function pretrainingPlot({ name, losses, held = [] }: LossLine): Draw | undefined {
  const shown = thinned(losses, 400);
  const [first, last] = [shown[0], shown[shown.length - 1]];
  if (!first || !last || shown.length < 2) return undefined;
  return (width) =>
    draw({
      width,
      height: width < 500 ? 240 : 280,
      description: `Loss along ${name}: ${score(first.loss)} at step ${count(first.step)}, ${score(last.loss)} at step ${count(last.step)}.`,
      x: {},
      y: { nice: true },
      marks: [
        ruled(5),
        ...axes(
          { ticks: width < 500 ? 4 : 6, tickFormat: (n: number) => count(n), label: "step" },
          { ticks: 5, label: "loss, nats" },
        ),
        Plot.line(shown, { x: "step", y: "loss", stroke: colours.pretraining, strokeWidth: 1.8 }),
        Plot.dot(held, { x: "step", y: "loss", r: 3.5, fill: "var(--card)", stroke: "var(--text)", strokeWidth: 1.5 }),
      ],
    });
}

/** At most `n` means of equal stretches. */
function thinned(losses: LossLine["losses"], n: number): LossLine["losses"] {
  if (losses.length <= n) return losses;
  const stretch = Math.ceil(losses.length / n);
  return [...grouped(losses.entries(), ([i]) => Math.floor(i / stretch)).values()].map((group) => ({
    step: group[group.length - 1]![1].step,
    loss: group.reduce((sum, [, p]) => sum + p.loss, 0) / group.length,
  }));
}

/** A bar: a median with its minimum and maximum. */
export interface Bar {
  readonly name: string;
  readonly colour: string;
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
  /** The median, as text beside the bar. */
  readonly text: string;
}

/** Bars of one quantity from zero, whiskers from minimum to maximum. */
export function barPlot(title: string, bars: readonly Bar[]): Draw {
  return (width) =>
    draw({
      width,
      height: 70 + 34 * bars.length,
      description: `${title}: ${bars.map((b) => `${b.name} ${b.text}`).join(", ")}.`,
      margins: { left: 92, right: 84, top: 4 },
      x: { domain: [0, Math.max(...bars.map((b) => b.maximum)) || 1], axis: null },
      y: { type: "band", domain: bars.map((b) => b.name), padding: 0.32, label: null },
      marks: [
        Plot.axisY({ ...axisText, fill: "var(--text)", tickSize: 0, tickPadding: 10, label: null }),
        Plot.barX(bars, { x: "median", y: "name", fill: "colour", rx: 3 }),
        Plot.ruleY(
          bars.filter((b) => b.maximum > b.minimum),
          { x1: "minimum", x2: "maximum", y: "name", stroke: "var(--text)", strokeWidth: 1.4 },
        ),
        Plot.text(bars, {
          x: "maximum",
          y: "name",
          text: "text",
          textAnchor: "start",
          dx: 8,
          fill: "var(--text)",
          fontWeight: 600,
        }),
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
