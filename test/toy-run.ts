/** Runs the toy job in a folder as a caller would, and gives back what happened and the weights it ended with. */
import type { Nd } from "../src/ir/index.js";
import { reference, type Session } from "../src/runtime/index.js";
import { type Job, openRun, type TrainEvent, train } from "../src/train/index.js";
import { toyJob } from "./toy.js";

export interface ToyRun {
  readonly events: readonly TrainEvent[];
  /** The state as it was handed to be saved; empty when the run did not end. */
  readonly weights: ReadonlyMap<string, Nd>;
  readonly path: string;
}

/** Start or go on with the toy job at `path`; options replace parts of the job. */
export async function toyRun(path: string, options: Partial<Job> = {}): Promise<ToyRun> {
  await using folder = await openRun(path, { config: {}, seeds: {}, data: {} }, { mode: "resume" });
  const events: TrainEvent[] = [];
  const weights = new Map<string, Nd>();
  const save = async (session: Session) => {
    for (const name of session.names()) weights.set(name, await session.read(name));
  };
  for await (const event of train({ ...toyJob(), engine: reference, save, folder, ...options })) events.push(event);
  return { events, weights, path };
}

export const kinds = (events: readonly TrainEvent[]): string[] => events.map(({ type, step }) => `${type} ${step}`);
export const losses = (events: readonly TrainEvent[]): number[] =>
  events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
