/** A process that trains the toy job in a folder, goes on where an earlier one was killed, and writes the final state's checksum. */
import { writeFileSync } from "node:fs";
import { engines } from "../src/runtime/index.js";
import { openRun, train } from "../src/train/index.js";
import { toyJob } from "./toy.js";

const [folder, engine, accumulation] = process.argv.slice(2) as [string, "ort" | "reference", string];
const steps = 60;
const job = toyJob({ steps, width: 512, accumulation: Number(accumulation), ema: 0.9 });
await using run = await openRun(folder, { config: { steps }, seeds: { run: job.seed }, data: {} }, { mode: "resume" });
const scores: number[] = [];
const evaluate = async (_: unknown, step: number) => {
  const score = Math.abs(step - 40); // best at step 40: the run must bring those weights back
  scores.push(score);
  return { score };
};
const options = { every: { evaluate: 10, save: 4 }, best: { metric: "score", goal: "min" } } as const;
const events = train({
  ...job,
  ...options,
  engine: engines[engine],
  threads: 1,
  folder: run,
  evaluate,
  async save(session, model) {
    const lines = [];
    for (const name of [...session.names()].sort())
      lines.push(`${name} ${Buffer.from((await session.read(name)).data.buffer as ArrayBuffer).toString("base64")}`);
    writeFileSync(`${model}.txt`, lines.join("\n"));
  },
});
for await (const event of events) process.stdout.write(`${event.type} ${event.step}\n`);
