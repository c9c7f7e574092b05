/**
 * The quickstart as a user runs it, from nothing: how long it takes, and what the pre-training was worth. Into
 * bench/results/quickstart.json, and into the README.
 *
 *     npm run build && npm run bench -- quickstart [--out <a folder that has run already: only read it>] [--minutes <it took>]
 *                                                  [--engine <it ran on>]
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
import { chooseEngine } from "../src/runtime/index.js";
import { machine } from "./machine.js";

const { values } = parseArgs({
  options: { out: { type: "string" }, minutes: { type: "string" }, engine: { type: "string" } },
});
const out = values.out ?? join(tmpdir(), `plinth-quickstart-${process.pid}`);
// what the load is now says nothing of a run that was made before
const load = values.out === undefined ? loadavg()[0]! : undefined;
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
const file = join(folder, "quickstart.json");
// the time on another engine stays
const known = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")).minutes as Record<string, number>) : {};
const engine = values.engine ?? (await chooseEngine("auto")).name;
const took = { ...known, [engine]: Math.round(minutes * 100) / 100 };
const result = {
  what: "npm run quickstart: minutes from start to report, by engine; accuracy over 26 categories, minimum, median and maximum over seeds",
  machine: machine(),
  ...(load !== undefined && { loadBefore: Math.round(load * 10) / 10 }),
  minutes: took,
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
writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
await writeReadme(found);
console.log(JSON.stringify({ minutes: took, sizes }, null, 2));
if (values.out === undefined) rmSync(out, { recursive: true, force: true });

/** What the quickstart printed, and how long it took, between the marks in the README. */
async function writeReadme(found: Efficiency): Promise<void> {
  const path = fileURLToPath(new URL("../README.md", import.meta.url));
  const text = readFileSync(path, "utf8");
  const [begin, end] = ["<!-- quickstart:begin -->", "<!-- quickstart:end -->"];
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  const [scores, savings] = factTables(await compare([join(out, "adapt")]));
  const short = { title: "", columns: savings!.columns.slice(0, 3), rows: savings!.rows };
  const printed = [renderTable(scores!), renderTable(short).trimStart(), headline(found)].join("\n\n");
  const { cores, cpu, memoryGB } = machine();
  const busy = (load ?? 0) > 0.5 ? ", with other work going on," : "";
  const names: Record<string, string> = { native: "the native engine", ort: "ONNX Runtime" };
  const times = Object.entries(took).map(([name, n]) => `${n.toFixed(1)} minutes on ${names[name] ?? name}`);
  const told = `On ${cores} cores (${cpu}, ${memoryGB} GB)${busy} it takes ${times.join(", ")}.`;
  writeFileSync(path, `${text.slice(0, from)}\n\n\`\`\`\n${printed}\n\`\`\`\n\n${told}\n\n${text.slice(to)}`);
}
