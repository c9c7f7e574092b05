/** The tables of a report, as text: the page and the terminal print the same ones. */
import type { DoctorReport } from "../../data/index.js";
import type { Arm, ArmRun, Curve } from "../curve.js";
import { type Efficiency, efficiency } from "../efficiency.js";
import type { DataFacts, Environment, PredictionFacts, ReportFacts, RunFacts } from "../facts.js";
import { range } from "../statistics.js";
import type { Column, Table } from "../table.js";
import {
  bytes,
  capital,
  count,
  expense,
  flops,
  joules,
  metricName,
  payback,
  percent,
  score,
  scoreRange,
  seconds,
  signedRange,
  timesRange,
} from "../words.js";

const right = (name: string): Column => ({ name, align: "right" });
const left = (name: string): Column => ({ name });

/** The table without the columns that say nothing. */
function filled(table: Table): Table {
  const kept = table.columns.map((_, i) => i === 0 || table.rows.some((row) => row[i]));
  const keep = <T>(list: readonly T[]) => list.filter((_, i) => kept[i]);
  return { ...table, columns: keep(table.columns), rows: table.rows.map(keep) };
}

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

/** What runs were and what came out. */
export function runsTable(runs: readonly RunFacts[]): Table {
  const names = [...new Set(runs.flatMap((r) => Object.keys(r.result ?? {})))];
  return filled({
    title: "Runs and their held-out results",
    columns: [
      left("run"),
      left("purpose"),
      left("model"),
      right("seed"),
      left("ended"),
      ...names.map((n) => right(metricName(n))),
    ],
    rows: runs.map((r) => [
      r.name,
      r.purpose,
      r.model ?? (r.parameters ? `${count(r.parameters)} parameters` : ""),
      optional(r.seed, String),
      r.ended,
      ...names.map((n) => optional(r.result?.[n], score)),
    ]),
  });
}

/** What runs spent. */
export const spentTable = (runs: readonly RunFacts[]): Table =>
  filled({
    title: "What they spent",
    columns: [
      left("run"),
      right("steps"),
      right("tokens"),
      right("time"),
      right("tokens/s"),
      right("share of peak"),
      right("compute"),
      right("energy"),
      right("peak memory"),
      right("trainable"),
    ],
    rows: runs.map((r) => [
      r.name,
      count(r.steps),
      optional(r.cost.tokens, count),
      optional(r.cost.seconds, seconds),
      optional(r.tokensPerSecond, count),
      optional(r.shareOfPeak, percent),
      optional(r.cost.flops, flops),
      optional(r.cost.joules, joules),
      optional(r.peakBytes, bytes),
      optional(r.trainableParameters, count),
    ]),
  });
const optional = (x: number | undefined, f: (x: number) => string): string => (x === undefined ? "" : f(x));

export const dataTable = (data: readonly DataFacts[]): Table =>
  filled({
    title: "Data",
    columns: [left("data"), left("used for"), right("examples"), right("tokens"), right("size"), left("note")],
    rows: data.map((d) => [
      d.name,
      d.use,
      count(d.examples),
      optional(d.tokens, count),
      optional(d.bytes, bytes),
      d.note ?? "",
    ]),
  });

/** What the data doctor counted in each split. */
export const splitsTable = ({ splits }: DoctorReport): Table => ({
  title: "Examined by the data doctor",
  columns: [left("split"), right("examples"), right("labels"), right("length"), left("least – median – 95 % – most")],
  rows: Object.entries(splits).map(([name, s]) => [
    name,
    count(s.examples),
    optional(s.labels && Object.keys(s.labels).length, count),
    `${count(s.length.total)} ${s.length.unit}`,
    [s.length.least, s.length.median, s.length.p95, s.length.most].map(count).join(" – "),
  ]),
});

export const findingsTable = ({ findings }: DoctorReport): Table => ({
  title: "What the data doctor found",
  columns: [left("level"), left("finding"), left("split"), right("examples"), left("such as")],
  rows: findings.map((f) => [f.severity, f.message, f.split ?? "", count(f.count), f.ids.slice(0, 3).join(", ")]),
});

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

export const predictionsTable = (predictions: readonly PredictionFacts[]): Table => ({
  title: "Test examples and what each network said",
  columns: [left("text"), left("truth"), left("adapted"), left("from scratch")],
  rows: predictions.map((p) => [p.text, p.label, answer(p.adapted, p.label), answer(p.scratch, p.label)]),
});
const answer = (given: string | undefined, truth: string) =>
  given === undefined ? "" : `${given === truth ? "✓" : "✗"} ${given}`;

export const environmentTable = (environment: Environment): Table => ({
  title: "Machine and versions",
  columns: [left("what"), left("value")],
  rows: Object.entries(environment).map(([name, value]) => [name, value]),
});

/** Every table that the facts fill, for a terminal. */
export function factTables(facts: ReportFacts): Table[] {
  const { curve, curves, runs, tables, data, doctor } = facts;
  const result = curve && efficiency(curve);
  return [
    ...(curve && result
      ? [sizesTable(result), multipliersTable(result), costTable(curve, result), paybackTable(result)]
      : []),
    curves?.length ? curvesTable(curves) : undefined,
    ...(runs?.length ? [runsTable(runs), spentTable(runs)] : []),
    ...(tables ?? []),
    data?.length ? dataTable(data) : undefined,
    doctor?.findings.length ? findingsTable(doctor) : undefined,
  ].filter((t) => t !== undefined);
}
