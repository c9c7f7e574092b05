/** The tables of a report, as text: the page and the terminal print the same ones. */
import type { DoctorReport } from "../../data/index.js";
import { efficiency } from "../efficiency.js";
import type { DataFacts, Environment, PredictionFacts, ReportFacts, RunFacts } from "../facts.js";
import { left, right, type Table } from "../table.js";
import { bytes, count, flops, joules, metricName, percent, score, seconds } from "../words.js";
import { costTable, curvesTable, multipliersTable, paybackTable, sizesTable } from "./curve-tables.js";

/** The table without the columns that say nothing. */
function filled(table: Table): Table {
  const kept = table.columns.map((_, i) => i === 0 || table.rows.some((row) => row[i]));
  const keep = <T>(list: readonly T[]) => list.filter((_, i) => kept[i]);
  return { ...table, columns: keep(table.columns), rows: table.rows.map(keep) };
}

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
