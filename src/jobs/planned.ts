/** A run that is ready to start: everything about it is decided and read, and nothing is written yet. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../runtime/index.js";
import { inUse, type Job, openRun, type RunSettings, type TrainEvent, train } from "../train/index.js";

/** What may be said to a run, and what it says before its first step. */
export interface RunControl {
  /** Aborting it saves a checkpoint and ends the run. */
  readonly signal?: AbortSignal | undefined;
  /** Told what is decided before the first step: the model, its size, the data. */
  readonly note?: (text: string) => void;
  /** What the machine can do, in GFLOP/s, where it was measured: gives the time that is predicted. */
  readonly peakGigaflops?: number | undefined;
}

export interface Planned extends AsyncDisposable {
  /** What run.json will say. */
  readonly settings: RunSettings;
  readonly job: Omit<Job, "folder">;
  /** What was decided, in words. */
  readonly intended: string;
  /** What is found before the first step: warnings, scores of the weights it starts from. Throws what stops the run. */
  found?(): Promise<readonly TrainEvent[]>;
}

export interface RunPlace {
  readonly out: string;
  readonly resume: boolean;
  readonly replace: boolean;
}

/** Refuse a folder that is in use before hours are spent on reading data. Throws `run`. */
export function requireFree({ out, resume, replace }: RunPlace): void {
  if (resume || replace || !existsSync(join(out, "run.json"))) return;
  throw inUse(out);
}

/** Start a planned run, or go on with it; its events as they come. */
export async function* carryOut(
  plan: Planned,
  { out, resume, replace }: RunPlace,
  { signal, note = () => {}, peakGigaflops }: RunControl,
): AsyncGenerator<TrainEvent> {
  note(plan.intended);
  const begun = resume && existsSync(join(out, "run.json"));
  const found = begun ? [] : ((await plan.found?.()) ?? []);
  const mode = resume ? "resume" : replace ? "replace" : "new";
  await using folder = await openRun(out, plan.settings, { mode });
  for (const event of found) {
    folder.log.append(event);
    yield event;
  }
  yield* train({
    ...plan.job,
    folder,
    ...(signal && { signal }),
    ...(peakGigaflops !== undefined && { peakGflops: peakGigaflops }),
  });
}

/** What computes the numbers, for run.json. */
export async function versionsOf(engine: Engine): Promise<Record<string, string>> {
  const { version } = await engine.probe();
  return { engine: version === undefined ? engine.name : `${engine.name} ${version}` };
}
