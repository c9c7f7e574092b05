/**
 * The learning rates that each method of adaptation learns best with: plinth-tiny-en on 256 of WordNet's categories, validation
 * accuracy, three seeds each. These are the defaults in src/adapt/methods.ts.
 *
 *     npm run bench -- methods [--examples 256] [--seeds 3] [--only head: keep the other figures]
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { adapt } from "../src/index.js";
import { machine, median } from "./machine.js";

const rates = { full: [3e-4, 1e-3, 3e-3], head: [1e-3, 3e-3, 1e-2], lora: [1e-3, 3e-3, 1e-2] } as const;

const { values } = parseArgs({
  options: { examples: { type: "string" }, seeds: { type: "string" }, only: { type: "string" } },
});
const examples = Number(values.examples ?? 256);
const seeds = Number(values.seeds ?? 3);
const out = join(tmpdir(), `plinth-methods-${process.pid}`);
interface Run {
  readonly validation: number;
  readonly test: number;
  readonly seconds: number;
}
const path = fileURLToPath(new URL("results/methods.json", import.meta.url));
const results: Record<string, Record<string, Run>> = existsSync(path)
  ? (JSON.parse(readFileSync(path, "utf8")) as { results: typeof results }).results
  : {};

async function once(method: keyof typeof rates, learningRate: number, seed: number): Promise<Run> {
  const options = { method, overflow: "truncate", contextLength: 48 } as const;
  const data = ["wordnet:categories"];
  let [validation, seconds] = [0, 0];
  for await (const event of adapt({ ...options, data, examples, learningRate, seed, out, replace: true })) {
    if (event.type === "score") validation = Math.max(validation, event.scores["accuracy"]!);
    if (event.type === "stopped") seconds = event.milliseconds / 1000;
  }
  const { test } = JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as { test: { accuracy: number } };
  return { validation, test: test.accuracy, seconds };
}

for (const [method, list] of Object.entries(rates) as [keyof typeof rates, readonly number[]][]) {
  if (values.only !== undefined && values.only !== method) continue;
  results[method] = {};
  for (const rate of list) {
    const runs: Run[] = [];
    for (let seed = 1; seed <= seeds; seed++) runs.push(await once(method, rate, seed));
    results[method][rate] = {
      validation: median(runs.map((run) => run.validation)),
      test: median(runs.map((run) => run.test)),
      seconds: median(runs.map((run) => run.seconds)),
    };
    console.log(method, rate, results[method][rate]);
  }
}
rmSync(out, { recursive: true, force: true });
const what = `median over ${seeds} seeds of the accuracy on held-out definitions, after learning from ${examples}`;
writeFileSync(path, `${JSON.stringify({ what, machine: machine(), results }, null, 2)}\n`);
