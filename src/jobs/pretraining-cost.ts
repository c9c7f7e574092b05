/** What a base model's pre-training cost: read from the run record that lies with it. */
import { join } from "node:path";
import { type Pretraining, wattsPerCore } from "../evaluate/index.js";
import { readEvents, readRun } from "../train/index.js";

/** The record beside a model, or of the run that the model folder is in; undefined where there is none. */
export async function pretrainingCost(name: string, modelFolder: string): Promise<Pretraining | undefined> {
  for (const folder of [modelFolder, join(modelFolder, "..")]) {
    const record = await readRun(folder).catch(() => undefined);
    if (!record) continue;
    const events = await readEvents(folder);
    const started = events.find((e) => e.type === "started");
    const stopped = events.findLast((e) => e.type === "stopped");
    if (!started || !stopped) continue;
    const seconds = stopped.milliseconds / 1000;
    const threads = Number(record.config["threads"] ?? record.machine.cores);
    const rows = Number(record.config["batchSize"] ?? 1) * Number(record.config["accumulation"] ?? 1);
    const losses = events.flatMap((e) => (e.type === "step" ? [{ step: e.step, loss: e.loss }] : []));
    const scores = new Map(events.flatMap((e) => (e.type === "score" ? [[e.step, e.scores["loss"]!] as const] : [])));
    return {
      name,
      parameters: started.parameters,
      data: [record.config["data"]].flat().join(", "),
      machine: `${record.machine.cpu}, ${threads} of ${record.machine.cores} cores`,
      examples: rows * stopped.step,
      tokens: stopped.tokens,
      flops: started.flopsPerStep * stopped.step,
      seconds,
      // no counter was read during it: the watts stated for a busy core
      joules: seconds * threads * wattsPerCore,
      losses: losses.map(({ step, loss }) => ({
        step,
        loss,
        ...(scores.has(step) && { validation: scores.get(step)! }),
      })),
    };
  }
  return undefined;
}
