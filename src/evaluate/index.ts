/** Metrics over a dataset, learning curves, what pre-training saved, and the report that says so. */
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
