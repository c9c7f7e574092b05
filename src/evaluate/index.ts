/** Metrics over a dataset, learning curves, what pre-training saved, and the report that says so. */
export { type Compared, compare, runFacts } from "./compare.js";
export {
  type Arm,
  type ArmRun,
  type Cost,
  type Curve,
  type EnergySource,
  type Point,
  type Pretraining,
  readCurve,
  writeCurve,
} from "./curve.js";
export {
  type Efficiency,
  type Expense,
  efficiency,
  type Payback,
  type SizeResult,
  type Verdict,
} from "./efficiency.js";
export type {
  DataFacts,
  Environment,
  PredictionFacts,
  ReportFacts,
  RunFacts,
} from "./facts.js";
export {
  type EnergyMeter,
  type EnergyOptions,
  type Meter,
  openEnergyMeter,
  openMeter,
  peakBytes,
  wattsPerCore,
} from "./meter.js";
export {
  type Answers,
  accuracy,
  type Confusion,
  type Losses,
  type LossSums,
  loss,
  type Metric,
  macroF1,
  type Tally,
  tally,
} from "./metrics.js";
export { factTables } from "./report/tables.js";
export { writeReport } from "./report.js";
export type { Bounded, BoundedRange, Range } from "./statistics.js";
export { type Column, left, renderTable, right, type Table } from "./table.js";
export { headline, summary } from "./words.js";
