/**
 * How fast a GPT training step is beside the same step as one hand-written ONNX graph (gpt.mjs) and in PyTorch (gpt.py).
 *
 *     npm run bench -- step [--rounds 3] [--only gpt-12m] [--python <python with torch>] [--threads 2]
 *                          [--patience 60: seconds to wait for a quiet machine before each process]
 *
 * The sides take turns (A B C, A B C, …), each in a process of its own, so that a noisy machine is noisy for all.
 * The two references are read from PLINTH_REFERENCE or ../shared/reference.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { peak } from "../src/runtime/index.js";
import { machine, median, quiet } from "./machine.js";

/** batch, context, width, layers, heads, vocabulary; fewer steps where one takes seconds. */
const models: Record<string, { sizes: readonly number[]; steps: number }> = {
  "gpt-12m": { sizes: [4, 256, 384, 6, 6, 4096], steps: 12 },
  "gpt-1m": { sizes: [32, 128, 128, 4, 4, 1024], steps: 16 },
  gpt2: { sizes: [2, 512, 768, 12, 12, 50257], steps: 4 },
};

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    python: { type: "string" },
    threads: { type: "string", default: "2" },
    patience: { type: "string", default: "60" },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const reference = process.env["PLINTH_REFERENCE"] ?? path("../../shared/reference");
const threads = options.threads;

/** Milliseconds of one process's median step and, where it prints single steps, of the fastest of those. */
interface Timing {
  readonly median: number;
  readonly fastest?: number;
}
type Side = (sizes: string, steps: number) => Timing;
const run = (command: string, args: readonly string[], env: Record<string, string> = {}): string =>
  execFileSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
const printed = (text: string): Timing => {
  const steps = [...text.matchAll(/^\d+ [\d.]+ ([\d.]+)ms$/gm)].map((line) => Number(line[1]));
  const median = Number(/median ([\d.]+) ms/.exec(text)![1]);
  return { median, ...(steps.length ? { fastest: Math.min(...steps) } : {}) };
};

function sides(): Record<string, Side> {
  const found: Record<string, Side> = {
    plinth: (sizes, steps) => {
      const args = ["--import", "jiti/register", path("step-plinth.ts"), sizes, `${steps}`, threads];
      return JSON.parse(run(process.execPath, args));
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
    const times: Record<string, Timing[]> = {};
    const busy: number[] = [];
    const peaks: number[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      peaks.push(await peak(Number(threads)));
      for (const [side, time] of Object.entries(sides())) {
        busy.push(await quiet(Number(options.patience)));
        const timing = time(sizes.join(), steps);
        times[side] = [...(times[side] ?? []), timing];
        console.log(`${name} round ${round + 1}: ${side} ${timing.median.toFixed(0)} ms`);
      }
    }
    results[name] = summary(sizes, times, { peak: Math.max(...peaks), busy: Math.max(...busy) });
  }
  return results;
}

function summary(
  sizes: readonly number[],
  times: Readonly<Record<string, Timing[]>>,
  at: { peak: number; busy: number },
) {
  const round = (x: number, digits = 3) => Number(x.toPrecision(digits));
  const each = <T>(f: (timings: readonly Timing[], side: string) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(times).map(([side, t]) => [side, f(t, side)]));
  const middle = (t: readonly Timing[]) => median(t.map((x) => x.median));
  const best = (t: readonly Timing[]) => Math.min(...t.map((x) => x.fastest ?? Number.POSITIVE_INFINITY));
  const own = times["plinth"]!;
  const tokens = sizes[0]! * sizes[1]!;
  const ratios = each((t) => ({
    ofMedians: round(middle(own) / middle(t)),
    ...(Number.isFinite(best(t)) ? { ofFastestSteps: round(best(own) / best(t)) } : {}),
    rounds: t.map((x, i) => round(own[i]!.median / x.median)),
  }));
  delete ratios["plinth"];
  return {
    "batch, context, width, layers, heads, vocabulary": sizes.join(" "),
    millisecondsPerStep: each((t) => t.map((x) => round(x.median, 4))),
    fastestStep: each((t) => (Number.isFinite(best(t)) ? round(best(t), 4) : null)),
    tokensPerSecond: each((t) => Math.round((tokens * 1e3) / middle(t))),
    measuredPeakGFLOPs: Math.round(at.peak),
    shareOfPeak: round(gigaflops(sizes) / (middle(own) / 1e3) / at.peak, 2),
    timeOverOther: ratios,
    busyBefore: round(at.busy, 2),
  };
}

const file = path("results/step.json");
// one model measured again leaves the others' figures
const before = options.only && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).results : {};
const results = { ...before, ...(await measure()) };
mkdirSync(path("results"), { recursive: true });
const what =
  "milliseconds of the median step of each process, processes taking turns; a ratio below 1 means plinth is faster; busyBefore is the largest share of the machine that others used in the second before a process started";
writeFileSync(
  file,
  `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), what, machine: machine(), threads: Number(threads), results }, null, 2)}\n`,
);
console.log(JSON.stringify(results, null, 2));
