/** Training: jobs, events, run folders, checkpoints. */
export type { StopReason, TrainEvent } from "./events.js";
export type { BatchSource, Goal, Job, TrainBatch } from "./job.js";
export { isLocked } from "./lock.js";
export {
  type OpenRunOptions,
  openRun,
  type RunFolder,
  type RunRecord,
  type RunSettings,
  readEvents,
  readRun,
} from "./run-folder.js";
export { train } from "./train.js";
