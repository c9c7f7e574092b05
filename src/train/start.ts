/** How a run begins: the first state, or the newest checkpoint over it. */
import { crc32 } from "node:zlib";
import { fail, type Nd, nameOf, type Program, show, size, type Type } from "../ir/index.js";
import type { Training } from "../optim/index.js";
import type { Session, State } from "../runtime/index.js";
import { newestCheckpoint, type Progress, type Snapshot } from "./checkpoint.js";
import type { Job } from "./job.js";
import { type Preflight, type PreflightOptions, preflight, requireFits, shortages } from "./preflight.js";

/** A session where a run begins or goes on. */
export interface Start {
  readonly session: Session;
  readonly progress: Progress;
  readonly resumed: boolean;
  /** What changes in a run: the content of a checkpoint. */
  readonly changing: Snapshot;
  /** Of these, what the model is: the content of a file of best weights. */
  readonly weights: Snapshot;
  readonly parameters: number;
  readonly trainable: number;
  readonly preflight: Preflight;
  readonly warnings: readonly string[];
}

/** Open a session with the newest checkpoint of the job's folder, or with its first state. Throws code run when the folder holds another run. */
export async function begin(job: Job): Promise<Start> {
  const training = typeof job.training === "function" ? job.training(await job.batches.at(0)) : job.training;
  const accumulation = job.accumulation ?? 1;
  if (!(Number.isInteger(accumulation) && accumulation > 0) || !(Number.isInteger(job.steps) && job.steps > 0))
    throw fail("config", `steps ${job.steps} and accumulation ${accumulation} must be whole numbers above 0`);
  const state = fullState(job.state, training, accumulation);
  const changes = changingTypes(state, training, accumulation);
  const still = checksum(state, (name) => !changes.has(name));
  const warnings: string[] = [];
  const found = await newestCheckpoint(job.folder.checkpoints, changes, (message) => warnings.push(message));
  const first = firstProgress(job, accumulation, still);
  if (found) requireSameRun(found.progress, first, found.path);
  const predicted = await predict(job, { training, accumulation, state, changing: changes });
  if (job.preflight === "warn") warnings.push(...shortages(predicted).map(({ what, help }) => `${what}: ${help}`));
  else requireFits(predicted);
  const session = await job.engine.open(state, { threads: job.threads, memory: job.memory });
  try {
    if (found) await found.load((name, value) => session.write(name, value));
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
  const learning = new Set(training.trainable.map(nameOf));
  const read = (name: string) => session.read(name);
  return {
    session,
    progress: found?.progress ?? first,
    resumed: found !== undefined,
    changing: { types: changes, read },
    weights: { types: new Map([...changes].filter(([name]) => learning.has(name) || name.startsWith("ema."))), read },
    parameters: count(training.weights.map((name) => state.get(name)!)),
    trainable: count(training.trainable),
    preflight: predicted,
    warnings,
  };
}

const predict = (
  { keep = 2, best, folder, peakGflops, flopsPerStep, engine, threads, memory }: Job,
  run: Pick<PreflightOptions, "training" | "accumulation" | "state" | "changing">,
): Promise<Preflight> =>
  preflight({
    ...run,
    keep,
    best: best !== undefined,
    folder: folder.checkpoints,
    peakGflops,
    flopsPerStep,
    ...(engine.held && { held: (program) => engine.held!(program, { threads, memory }) }),
  });

const count = (types: readonly { shape: readonly number[] }[]) => types.reduce((sum, t) => sum + size(t.shape), 0);

/** The job's state, and zeros for what the optimiser remembers where it has none. Throws code checkpoint when weights are missing. */
function fullState(given: State, training: Training, accumulation: number): Map<string, Nd> {
  const missing = training.weights.filter((name) => !given.has(name));
  if (missing.length) throw fail("checkpoint", `no first value for ${missing.join(", ")}`, "initialise or load them");
  return new Map([...training.state, ...(accumulation > 1 ? training.accumulators : []), ...given]);
}

function changingTypes(state: State, { step, accumulate, apply }: Training, accumulation: number): Map<string, Type> {
  const programs: readonly Program[] = accumulation === 1 ? [step] : [accumulate, apply];
  const names = new Set(programs.flatMap((program) => Object.keys(program.next)));
  const types = new Map<string, Type>();
  for (const name of [...names].sort()) {
    const value = state.get(name);
    if (!value) throw fail("internal", `${name} changes in training but is not in its state`);
    types.set(name, { dtype: value.dtype, shape: value.shape });
  }
  return types;
}

/** A checksum of a part of a state: names, types and bytes. */
function checksum(state: State, which: (name: string) => boolean): string {
  let crc = 0;
  for (const name of [...state.keys()].filter(which).sort()) {
    const value = state.get(name)!;
    crc = crc32(`${name} ${show(value)}`, crc);
    crc = crc32(new Uint8Array(value.data.buffer as ArrayBuffer, value.data.byteOffset, value.data.byteLength), crc);
  }
  return crc.toString(16).padStart(8, "0");
}

const firstProgress = ({ seed, steps, schedule }: Job, accumulation: number, frozen: string): Progress => ({
  step: 0,
  cursor: 0,
  seed,
  accumulation,
  steps,
  learningRate: schedule(1),
  best: null,
  early: { best: null, bad: 0 },
  frozen,
  tokens: 0,
  milliseconds: 0,
  untrained: 0,
});

function requireSameRun(found: Progress, first: Progress, path: string): void {
  const names = ["seed", "accumulation", "steps", "frozen"] as const;
  const changed = names.filter((name) => found[name] !== first[name]);
  if (!changed.length) return;
  const text = changed.map((name) =>
    name === "frozen" ? "the frozen weights differ" : `${name} was ${found[name]}, now ${first[name]}`,
  );
  throw fail(
    "run",
    `the checkpoint belongs to another run: ${text.join("; ")}`,
    "resume with the settings the run was started with, or choose another folder",
    path,
  );
}
