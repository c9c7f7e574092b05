/**
 * How fast a GPT training step is beside the same step as one hand-written ONNX graph (gpt.mjs) and in PyTorch (gpt.py).
 *
 *     npm run bench -- step [--rounds 3] [--only gpt-12m] [--python <python with torch>] [--threads 2]
 *
 * The sides take turns (A B C, A B C, …), each in a process of its own, so that a noisy machine is noisy for all.
 * The two references are read from PLINTH_REFERENCE or ../shared/reference.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { peak } from "../src/runtime/index.js";
import { machine, median } from "./machine.js";

/** batch, context, width, layers, heads, vocabulary; fewer steps where one takes seconds. */
const models: Record<string, { sizes: readonly number[]; steps: number }> = {
  "gpt-12m": { sizes: [4, 256, 384, 6, 6, 4096], steps: 12 },
  "gpt-1m": { sizes: [32, 128, 128, 4, 4, 1024], steps: 16 },
  gpt2: { sizes: [2, 512, 768, 12, 12, 50257], steps: 5 },
};

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    python: { type: "string" },
    threads: { type: "string", default: "2" },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const reference = process.env["PLINTH_REFERENCE"] ?? path("../../shared/reference");
const threads = options.threads;

/** Milliseconds of the median step of one process. */
type Side = (sizes: string, steps: number) => number;
const run = (command: string, args: readonly string[], env: Record<string, string> = {}): string =>
  execFileSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
const printed = (text: string): number => Number(/median ([\d.]+) ms/.exec(text)![1]);

function sides(): Record<string, Side> {
  const found: Record<string, Side> = {
    plinth: (sizes, steps) => {
      const args = ["--import", "jiti/register", path("step-plinth.ts"), sizes, `${steps}`, threads];
      return JSON.parse(run(process.execPath, args)).milliseconds;
    },
  };
  if (existsSync(`${reference}/gpt.mjs`)) {
    // beside node_modules, where it finds onnxruntime-node
    const copy = path("../node_modules/.plinth-bench");
    mkdirSync(copy, { recursive: true });
    for (const name of ["gpt.mjs", "onnx.mjs"]) {
      rmSync(`${copy}/${name}`, { force: true });
      copyFileSync(`${reference}/${name}`, `${copy}/${name}`);
    }
    found["gpt.mjs"] = (CFG, STEPS) =>
      printed(run(process.execPath, [`${copy}/gpt.mjs`], { CFG, STEPS: `${STEPS}`, T: threads }));
  }
  const { python } = options;
  if (python && existsSync(`${reference}/gpt.py`))
    found["gpt.py"] = (CFG) => printed(run(python, [`${reference}/gpt.py`], { CFG, FUSED: "1" }));
  return found;
}

/** As gpt.mjs counts: six for each weight and token, and the attention scores. */
function gigaflops([B, T, D, L, , V]: readonly number[]): number {
  const weights = V! * D! + L! * (12 * D! * D! + 13 * D!) + 2 * D!;
  return (6 * weights * B! * T! + 12 * L! * T! * D! * B! * T!) / 1e9;
}

async function measure(): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {};
  for (const [name, { sizes, steps }] of Object.entries(models)) {
    if (options.only && options.only !== name) continue;
    const times: Record<string, number[]> = {};
    const peaks: number[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      peaks.push(await peak(Number(threads)));
      for (const [side, time] of Object.entries(sides())) {
        const milliseconds = time(sizes.join(), steps);
        times[side] = [...(times[side] ?? []), milliseconds];
        console.log(`${name} round ${round + 1}: ${side} ${milliseconds.toFixed(0)} ms`);
      }
    }
    results[name] = summary(sizes, times, median(peaks));
  }
  return results;
}

function summary(sizes: readonly number[], times: Readonly<Record<string, number[]>>, gigaflopsPeak: number) {
  const own = times["plinth"]!;
  const [B, T] = sizes as [number, number];
  const round = (x: number, digits = 3) => Number(x.toPrecision(digits));
  const others = Object.entries(times).filter(([side]) => side !== "plinth");
  return {
    "batch, context, width, layers, heads, vocabulary": sizes.join(" "),
    millisecondsPerStep: Object.fromEntries(
      Object.entries(times).map(([side, t]) => [side, t.map((x) => round(x, 4))]),
    ),
    tokensPerSecond: Object.fromEntries(
      Object.entries(times).map(([side, t]) => [side, Math.round((B * T * 1e3) / median(t))]),
    ),
    measuredPeakGFLOPs: Math.round(gigaflopsPeak),
    shareOfPeak: round(gigaflops(sizes) / (median(own) / 1e3) / gigaflopsPeak, 2),
    timeOverOther: Object.fromEntries(
      others.map(([side, t]) => [
        side,
        { median: round(median(own) / median(t)), rounds: own.map((x, i) => round(x / t[i]!)) },
      ]),
    ),
  };
}

const load = loadavg()[0]!;
if (load > 0.5) console.log(`the machine is not idle (load ${load.toFixed(1)}): times will be noisy`);
const file = path("results/step.json");
// one model measured again leaves the others' figures
const before = options.only && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).results : {};
const results = { ...before, ...(await measure()) };
mkdirSync(path("results"), { recursive: true });
const what =
  "median milliseconds of a step per process, processes taking turns; a ratio below 1 means plinth is faster";
writeFileSync(
  file,
  `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), what, machine: machine(), threads: Number(threads), loadBefore: load, results }, null, 2)}\n`,
);
console.log(JSON.stringify(results, null, 2));
