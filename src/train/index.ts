/** Training: jobs, events, run folders, checkpoints, exact resume. */
export type { StopReason, TrainEvent } from "./events.js";
export type { Goal, Job } from "./job.js";
export { isLocked, lock } from "./lock.js";
export { type Preflight, type PreflightOptions, preflight, requireFits, shortages } from "./preflight.js";
export {
  inUse,
  type OpenRunOptions,
  openRun,
  type RunFolder,
  type RunRecord,
  type RunSettings,
  readEvents,
  readRun,
} from "./run-folder.js";
export { train } from "./train.js";
export { type ResumeCheck, type VerifyResumeOptions, verifyResume } from "./verify-resume.js";
