/** Checkpoints: everything that changes in a run, in one file that is whole or absent; the newest good one is where a run goes on. */
import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { fail, type Nd, PlinthError, type Type } from "../ir/index.js";
import {
  matchTypes,
  openSafetensors,
  requireSpace,
  type SafetensorsFile,
  safetensorsBytes,
  syncFolder,
  writeSafetensors,
} from "../models/index.js";

const scoreSchema = z.object({ step: z.number().int(), score: z.number() });
const progressSchema = z.object({
  step: z.number().int().nonnegative(),
  /** The index of the next batch. */
  cursor: z.number().int().nonnegative(),
  seed: z.number().int(),
  accumulation: z.number().int().positive(),
  steps: z.number().int().positive(),
  learningRate: z.number(),
  best: scoreSchema.nullable(),
  early: z.object({ best: scoreSchema.nullable(), bad: z.number().int() }),
  /** Checksum of the state that does not change, and so is not in the file. */
  frozen: z.string(),
  tokens: z.number(),
  milliseconds: z.number(),
  /** Examples met without a trained token. */
  untrained: z.number().int(),
});
/** Where a run stands, beside its numbers: schedule position, data cursor, random seed, best score, early stopping, totals. */
export type Progress = z.infer<typeof progressSchema>;

const format = "plinth-checkpoint-1";
const named = (kind: "step" | "best", step: number) => `${kind}-${`${step}`.padStart(8, "0")}.safetensors`;
/** The file of the best weights as of `step`. */
const bestFile = (folder: string, step: number): string => join(folder, named("best", step));

/** Numbers to keep, read one at a time. */
export interface Snapshot {
  readonly types: ReadonlyMap<string, Type>;
  read(name: string): Promise<Nd>;
}

/**
 * Write the checkpoint of `progress.step`: temporary name, sync, rename. Returns its path and size.
 * Throws `non-finite` when a number in it is not finite and `disk` when it does not fit; older checkpoints are then intact.
 */
export const saveCheckpoint = (folder: string, snapshot: Snapshot, progress: Progress) =>
  save(join(folder, named("step", progress.step)), snapshot, { format, progress: JSON.stringify(progress) });

/** Write the best weights so far, likewise; they are kept as long as a checkpoint refers to them. */
export const saveBest = (folder: string, snapshot: Snapshot, step: number) =>
  save(bestFile(folder, step), snapshot, { format, best: `${step}` });

async function save(path: string, { types, read }: Snapshot, metadata: Readonly<Record<string, string>>) {
  const bytes = safetensorsBytes(types.values());
  await requireSpace(path, bytes, `checkpoint ${basename(path)}`);
  const value = async (name: string) => finite(await read(name), name, path);
  await writeSafetensors(path, { types, value, metadata, checksum: true });
  return { path, bytes };
}

function finite(x: Nd, name: string, path: string): Nd {
  if (x.dtype !== "f32") return x;
  const data = x.data as Float32Array;
  // the sum of x - x is 0 unless an element is NaN or infinite: one pass without a branch
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! - data[i]!;
  if (sum === 0) return x;
  const at = data.findIndex((v) => !Number.isFinite(v));
  throw fail(
    "non-finite",
    `${name} holds ${data[at]} at ${at}: the checkpoint ${basename(path)} is refused`,
    "lower the learning rate, or clip gradients, and go on from the checkpoint before",
    name,
  );
}

/** A checkpoint that was found whole. */
export interface Checkpoint {
  readonly path: string;
  readonly progress: Progress;
  /** Each value of the state that it holds. */
  load(write: (name: string, value: Nd) => Promise<void>): Promise<void>;
}

/**
 * The newest good checkpoint that holds exactly `types`, or undefined where there is none at all.
 * A damaged one is passed over with `warn`; when all are damaged, throws `checkpoint`.
 */
export async function newestCheckpoint(
  folder: string,
  types: ReadonlyMap<string, Type>,
  warn: (message: string) => void,
): Promise<Checkpoint | undefined> {
  const files = (await listed(folder, "step")).reverse();
  const troubles: string[] = [];
  for (const name of files) {
    const path = join(folder, name);
    try {
      const progress = await checked(path, types);
      for (const trouble of troubles) warn(`${trouble}; going on from ${name}`);
      return { path, progress, load: (write) => loadAll(path, write) };
    } catch (error) {
      if (!(error instanceof PlinthError) || error.code !== "checkpoint") throw error;
      troubles.push(error.what);
    }
  }
  if (!troubles.length) return undefined;
  throw fail(
    "checkpoint",
    `no checkpoint of this run can be used: ${troubles.join("; ")}`,
    "start the run again in another folder",
    folder,
  );
}

async function checked(path: string, types: ReadonlyMap<string, Type>): Promise<Progress> {
  await using file = await openSafetensors(path);
  const progress = progressOf(file);
  await file.verify();
  const found = new Map([...file.tensors].map(([name, t]) => [name, { dtype: t.dtype.toLowerCase(), shape: t.shape }]));
  matchTypes(path, types, found);
  // a run that ends with weights that cannot be read has been for nothing
  if (progress.best) await verifyBest(dirname(path), progress.best.step);
  return progress;
}

async function verifyBest(folder: string, step: number): Promise<void> {
  await using file = await openSafetensors(bestFile(folder, step));
  await file.verify();
}

/** Read the best weights as of `step`, each value. Throws `checkpoint` when the file is damaged: then nothing was written. */
export async function loadBest(
  folder: string,
  step: number,
  write: (name: string, value: Nd) => Promise<void>,
): Promise<void> {
  await verifyBest(folder, step);
  await loadAll(bestFile(folder, step), write);
}

function progressOf(file: SafetensorsFile): Progress {
  try {
    if (file.metadata["format"] === format) return progressSchema.parse(JSON.parse(file.metadata["progress"] ?? ""));
  } catch {
    // told below
  }
  throw fail("checkpoint", `${file.path} is not a checkpoint of this version`, "remove it or start the run again");
}

/** Read every tensor of a checkpoint or best file, one at a time. */
async function loadAll(path: string, write: (name: string, value: Nd) => Promise<void>): Promise<void> {
  await using file = await openSafetensors(path);
  for (const name of file.tensors.keys()) await write(name, await file.read(name));
}

/** Keep the `keep` newest checkpoints, the best weights that they or `best` refer to, and nothing else of ours. */
export async function prune(folder: string, keep: number, best: number | undefined): Promise<void> {
  const steps = await listed(folder, "step");
  const kept = new Set(steps.slice(-keep));
  const bests = new Set(best === undefined ? [] : [named("best", best)]);
  for (const name of kept) {
    const step = await bestIn(join(folder, name));
    if (step !== undefined) bests.add(named("best", step));
  }
  const old = [
    ...steps.filter((name) => !kept.has(name)),
    ...(await listed(folder, "best")).filter((n) => !bests.has(n)),
  ];
  for (const name of [...old, ...(await listed(folder, "tmp"))]) await rm(join(folder, name), { force: true });
  if (old.length) await syncFolder(folder);
}

/** The step of the best weights as of a checkpoint; a damaged checkpoint has none. */
async function bestIn(path: string): Promise<number | undefined> {
  try {
    await using file = await openSafetensors(path);
    return progressOf(file).best?.step;
  } catch {
    return undefined;
  }
}

const patterns = {
  step: /^step-\d{8,}\.safetensors$/,
  best: /^best-\d{8,}\.safetensors$/,
  tmp: /^(step|best)-\d{8,}\.safetensors\.tmp$/,
};
/** Files of one kind, oldest first. */
async function listed(folder: string, kind: keyof typeof patterns): Promise<string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => patterns[kind].test(name));
  return names.sort((a, b) => stepIn(a) - stepIn(b));
}
const stepIn = (name: string): number => Number(name.match(/\d+/)![0]);

/** The step of the newest checkpoint file of a run and its size in bytes, without reading it. */
export async function latestStep(folder: string): Promise<{ step: number; path: string; bytes: number } | undefined> {
  const name = (await listed(folder, "step")).at(-1);
  if (!name) return undefined;
  const path = join(folder, name);
  return { step: stepIn(name), path, bytes: (await stat(path)).size };
}
