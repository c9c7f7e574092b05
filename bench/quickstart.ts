/**
 * The quickstart as a user runs it, from nothing: how long it takes, and what the pre-training was worth. Into
 * bench/results/quickstart.json, and into the README.
 *
 *     npm run build && npm run bench -- quickstart [--out <a folder that has run already: only read it>] [--minutes <it took>]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  compare,
  type Efficiency,
  efficiency,
  factTables,
  headline,
  readCurve,
  renderTable,
} from "../src/evaluate/index.js";
import { machine } from "./machine.js";

const { values } = parseArgs({ options: { out: { type: "string" }, minutes: { type: "string" } } });
const out = values.out ?? join(tmpdir(), `plinth-quickstart-${process.pid}`);
const load = loadavg()[0]!;
let minutes = Number(values.minutes);
if (values.out === undefined) {
  const began = performance.now();
  const plinth = fileURLToPath(new URL("../bin/plinth.js", import.meta.url));
  const { status } = spawnSync(process.execPath, [plinth, "quickstart", "--out", out], { stdio: "inherit" });
  if (status !== 0) throw new Error(`the quickstart ended with ${status}`);
  minutes = (performance.now() - began) / 60_000;
}
const curve = await readCurve(join(out, "adapt", "curve.json"));
const found = efficiency(curve);
const { sizes } = found;
const folder = fileURLToPath(new URL("results", import.meta.url));
mkdirSync(folder, { recursive: true });
const result = {
  what: "npm run quickstart: minutes from start to report; accuracy over 26 categories, minimum, median and maximum over seeds",
  machine: machine(),
  loadBefore: Math.round(load * 10) / 10,
  minutes: Math.round(minutes * 100) / 100,
  limitMinutes: 6,
  sizes,
  tuning: curve.tuning,
  runs: curve.runs.map(({ arm, size, seed, learningRate, steps, metrics, cost, points }) => ({
    ...{ arm, size, seed, learningRate, steps },
    ...{ metrics, cost },
    // whether a side was trained to its end: accuracy on validation no longer rises, the loss in training is near 0
    validation: points.map(({ step, score, loss }) => ({ step, accuracy: score, trainingLoss: loss })),
  })),
};
writeFileSync(join(folder, "quickstart.json"), `${JSON.stringify(result, null, 2)}\n`);
await writeReadme(found, result.minutes);
console.log(JSON.stringify({ minutes, sizes }, null, 2));
if (values.out === undefined) rmSync(out, { recursive: true, force: true });

/** What the quickstart printed, and how long it took, between the marks in the README. */
async function writeReadme(found: Efficiency, minutes: number): Promise<void> {
  const path = fileURLToPath(new URL("../README.md", import.meta.url));
  const text = readFileSync(path, "utf8");
  const [begin, end] = ["<!-- quickstart:begin -->", "<!-- quickstart:end -->"];
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  const [scores, savings] = factTables(await compare([join(out, "adapt")]));
  const short = { title: "", columns: savings!.columns.slice(0, 3), rows: savings!.rows };
  const printed = [renderTable(scores!), renderTable(short).trimStart(), headline(found)].join("\n\n");
  const { cores, cpu, memoryGB } = machine();
  const busy = load > 0.5 ? ", with other work going on" : "";
  const told = `That run took ${minutes.toFixed(1)} minutes on ${cores} cores (${cpu}, ${memoryGB} GB)${busy}.`;
  writeFileSync(path, `${text.slice(0, from)}\n\n\`\`\`\n${printed}\n\`\`\`\n\n${told}\n\n${text.slice(to)}`);
}
