/** Update rules, schedules, clipping, accumulation, and the programs that train. */
export { type AdamwOptions, adamw } from "./adamw.js";
export { type LionOptions, lion } from "./lion.js";
export { type MuonOptions, muon } from "./muon.js";
export type { Clock, Rule, Update } from "./rule.js";
export { type RuleName, rules } from "./rules.js";
export { type ScheduleKind, type ScheduleOptions, schedule, schedules } from "./schedule.js";
export { type SgdOptions, sgd } from "./sgd.js";
export { type Objective, type Training, type TrainingOptions, training } from "./training.js";
