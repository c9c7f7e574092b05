/**
 * How fast a training step is, by plinth's native engine and by ONNX Runtime's, beside the same step in PyTorch (eager and compiled;
 * the faster counts) and, for a GPT, as one hand-written ONNX graph; and how much memory each takes.
 *
 *     npm run bench -- step --python <python with torch> [--rounds 3] [--only gpt-12m,encoder] [--sides native,torch]
 *                          [--threads 2] [--patience 60: seconds to wait for a quiet machine before each process]
 *
 * The sides take turns (A B C, A B C, …), each in a process of its own, so that a noisy machine is noisy for all.
 * The references are read from PLINTH_REFERENCE or ../shared/reference.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { peak } from "../src/runtime/index.js";
import { machine, quiet } from "./machine.js";
import { type Measured, sidesOf } from "./step/sides.js";
import { summary } from "./step/summary.js";
import { type Work, works } from "./step/works.js";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: Object.keys(works).join() },
    sides: { type: "string" },
    python: { type: "string" },
    threads: { type: "string", default: "2" },
    patience: { type: "string", default: "60" },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const reference = process.env["PLINTH_REFERENCE"] ?? path("../../shared/reference");
const { threads, python } = options;

async function measure(name: string, work: Work) {
  const wanted = options.sides?.split(",");
  const sides = Object.entries(await sidesOf(work, { threads, python, reference })).filter(
    ([side]) => !wanted || wanted.includes(side),
  );
  const rounds: Record<string, Measured[]> = {};
  const [busy, peaks]: number[][] = [[], []];
  for (let round = 1; round <= Number(options.rounds); round++) {
    peaks!.push(await peak(Number(threads)));
    for (const [side, time] of sides) {
      busy!.push(await quiet(Number(options.patience)));
      const measured = time({ ...work, name });
      rounds[side] = [...(rounds[side] ?? []), measured];
      console.log(`${name} ${round}: ${side} ${measured.median.toFixed(0)} ms, ${measured.memoryMB} MB`);
    }
  }
  return summary(work, rounds, { peak: Math.max(...peaks!), busy: Math.max(...busy!) });
}

const file = path("results/step.json");
// a work measured again leaves the others' figures
const results: Record<string, unknown> = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).results : {};
mkdirSync(path("results"), { recursive: true });
const what =
  "milliseconds of the median step of each process, processes taking turns; a ratio below 1 means that the first is faster; memory is the most that a process ever held; busyBefore is the largest share of the machine that others used in the second before a process started";
for (const name of options.only.split(",")) {
  const work = works[name];
  if (!work) throw new Error(`no work is called ${name}: there are ${Object.keys(works).join(", ")}`);
  results[name] = await measure(name, work);
  console.log(JSON.stringify(results[name], null, 2));
  const known = Object.fromEntries(Object.keys(works).flatMap((key) => (key in results ? [[key, results[key]]] : [])));
  const date = new Date().toISOString().slice(0, 10);
  const all = { date, what, machine: machine(), threads: Number(threads), results: known };
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
}
