/** Metrics over a dataset, learning curves, what pre-training saved, and the report that says so. */
export { type Compared, compare, readCompared, runFacts } from "./compare.js";
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
  rule,
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
  bitsPerByte,
  type Confusion,
  type Losses,
  type LossSums,
  loss,
  type Metric,
  macroF1,
  perplexity,
  type Tally,
  tally,
} from "./metrics.js";
export { factTables } from "./report/tables.js";
export { reportHtml, writeReport } from "./report.js";
export { type Bounded, type BoundedRange, type Range, range } from "./statistics.js";
export { type Column, left, renderTable, right, type Table } from "./table.js";
export { headline, summary } from "./words.js";
