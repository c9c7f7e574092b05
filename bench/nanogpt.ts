/**
 * nanoGPT's recipe for a CPU from examples/nanogpt-shakespeare.yaml: the validation loss, beside the 1.88 that its README reports.
 * `npm run bench -- nanogpt [--rates 0.002,0.001] [--seeds 1337,1] [--threads 1] [--out runs/bench-nanogpt]`
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { type PretrainOptions, pretrain } from "../src/jobs/index.js";
import { readEvents, type TrainEvent } from "../src/train/index.js";
import { machine } from "./machine.js";

const { values } = parseArgs({
  options: {
    rates: { type: "string", default: "0.002,0.001" },
    seeds: { type: "string", default: "1337,1" },
    threads: { type: "string", default: "1" },
    out: { type: "string", default: "runs/bench-nanogpt" },
  },
});
const numbers = (text: string): number[] => text.split(",").map(Number);
const recipe = (
  parse(readFileSync(new URL("../examples/nanogpt-shakespeare.yaml", import.meta.url), "utf8")) as {
    pretrain: PretrainOptions;
  }
).pretrain;
const threads = Number(values.threads);

/** What a run's events say; undefined when it did not finish. */
function outcome(events: readonly TrainEvent[]) {
  const stopped = events.find((e) => e.type === "stopped");
  const scores = events.flatMap((e) => (e.type === "score" ? [e] : []));
  const result = scores.find((e) => e.step === stopped?.resultStep);
  if (stopped?.type !== "stopped" || stopped.reason === "interrupted" || !result) return undefined;
  const { loss, perplexity, bitsPerByte } = result.scores;
  return {
    validationLoss: loss,
    perplexity,
    bitsPerByte,
    steps: stopped.step,
    tokens: stopped.tokens,
    trainingSeconds: Math.round(stopped.milliseconds / 1000),
    curve: scores.map((e) => ({ step: e.step, validationLoss: e.scores["loss"] })),
  };
}

const runs = [];
for (const learningRate of numbers(values.rates)) {
  for (const seed of numbers(values.seeds)) {
    const out = join(values.out, `${learningRate}-${seed}`);
    // a run that is there and finished is measured already
    if (!outcome(await readEvents(out)))
      for await (const event of pretrain({ ...recipe, learningRate, seed, threads, out, resume: true }))
        if (event.type === "score") console.log(learningRate, seed, event.step, event.scores["loss"]);
    runs.push({ learningRate, seed, threads, ...outcome(await readEvents(out)) });
  }
}
const result = {
  what: "nanoGPT's CPU recipe on Shakespeare by characters, from examples/nanogpt-shakespeare.yaml",
  reference: {
    validationLoss: 1.88,
    where: "README of nanoGPT (Karpathy), whose learning rate is 0.001",
  },
  measured: "mean loss over the whole held-out tenth (111,540 characters), of the weights that score best",
  note: "seconds are those of training alone, on a machine that was busy with other work: no measure of speed",
  recipe: { ...recipe, out: undefined, data: undefined },
  machine: machine(),
  runs,
};
const path = fileURLToPath(new URL("results/nanogpt.json", import.meta.url));
writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
console.log(`written: bench/results/nanogpt.json`);
