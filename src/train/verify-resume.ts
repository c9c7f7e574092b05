/** Proof that a run can be stopped and resumed: the same steps in one go and in two, compared bit by bit. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../ir/index.js";
import { openSafetensors } from "../models/index.js";
import { latestStep } from "./checkpoint.js";
import type { Job } from "./job.js";
import { openRun } from "./run-folder.js";
import { train } from "./train.js";
import { sameBits } from "./watch.js";

/** What the comparison found. */
export interface ResumeCheck {
  /** Whether every bit is the same. */
  readonly same: boolean;
  readonly steps: number;
  /** What was compared: weights, and what the optimiser remembers. */
  readonly tensors: number;
  readonly bytes: number;
  /** Those that differ. */
  readonly different: readonly string[];
}

export interface VerifyResumeOptions {
  /** A folder to work in; what is made there is removed again. */
  readonly folder: string;
  /** How many steps are taken in all; 8 by default, or as many as the job has. */
  readonly steps?: number;
}

/** Take a job's first steps twice, once without a break and once stopped half-way and started again from its checkpoint, and compare. */
export async function verifyResume(
  job: Omit<Job, "folder">,
  { folder, steps = 8 }: VerifyResumeOptions,
): Promise<ResumeCheck> {
  const until = Math.min(steps, job.steps);
  if (until < 2) throw fail("config", `${until} steps cannot be taken in two parts`, "give at least 2");
  const paths = ["straight", "resumed"].map((name) => join(folder, `verify-${name}`)) as [string, string];
  try {
    const straight = await takeSteps(job, paths[0], [until]);
    const resumed = await takeSteps(job, paths[1], [Math.floor(until / 2), until]);
    return { steps: until, ...(await compare(straight, resumed)) };
  } finally {
    for (const path of paths) await rm(path, { recursive: true, force: true });
  }
}

/** Run to each of the steps in turn, every time from the files alone; the path of the last checkpoint. */
async function takeSteps(job: Omit<Job, "folder">, path: string, stops: readonly number[]): Promise<string> {
  const { engine, threads, training, state, batches, steps, schedule, accumulation, seed } = job;
  const plain = { engine, training, state, batches, steps, schedule, seed };
  for (const [i, until] of stops.entries()) {
    const settings = { config: {}, seeds: { seed }, data: {} };
    await using folder = await openRun(path, settings, { mode: i === 0 ? "replace" : "resume" });
    const options = { ...(threads && { threads }), ...(accumulation && { accumulation }) };
    for await (const _ of train({ ...plain, ...options, folder, until }));
  }
  const last = await latestStep(join(path, "checkpoints"));
  return last!.path;
}

async function compare(a: string, b: string): Promise<Omit<ResumeCheck, "steps">> {
  await using straight = await openSafetensors(a);
  await using resumed = await openSafetensors(b);
  const different: string[] = [];
  let bytes = 0;
  for (const [name, { begin, end }] of straight.tensors) {
    bytes += end - begin;
    if (!sameBits(await straight.read(name), await resumed.read(name))) different.push(name);
  }
  return { same: different.length === 0, tensors: straight.tensors.size, bytes, different };
}
