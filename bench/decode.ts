/**
 * How fast a GPT-2 of 124 M parameters writes: a token after another behind a prompt, and the reading of a long prompt, beside
 * PyTorch with its cache and transformers.js; and how near reading the weights once a token is to what memory gives.
 *
 *     npm run bench -- decode --python <python with torch and transformers> [--rounds 3] [--sides native,ort,torch] [--threads 2]
 *                            [--transformers <folder of @huggingface/transformers> --onnx <a GPT-2 of that size that plinth exported>]
 *                            [--prompt 128] [--tokens 128] [--long 512] [--patience 60: seconds to wait for a quiet machine]
 *
 * The sides take turns, each in a process of its own.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { families, parameterCount } from "../src/models/index.js";
import { engines, peaks } from "../src/runtime/index.js";
import { machine, median, quiet } from "./machine.js";

/** Milliseconds of one process's median token and of its median long prompt, and the most memory that it held. */
interface Measured {
  readonly token: number;
  readonly prefill: number;
  readonly memoryMB: number;
}

const { values: o } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    sides: { type: "string" },
    python: { type: "string" },
    transformers: { type: "string" },
    onnx: { type: "string" },
    threads: { type: "string", default: "2" },
    prompt: { type: "string", default: "128" },
    tokens: { type: "string", default: "128" },
    long: { type: "string", default: "512" },
    patience: { type: "string", default: "60" },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const sizes = [o.threads, o.prompt, o.tokens, o.long];
const run = (command: string, args: readonly string[]): Measured =>
  JSON.parse(execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));

const sides: Record<string, () => Measured> = {};
for (const engine of ["native", "ort"] as const)
  if ((await engines[engine].probe()).available)
    sides[engine] = () =>
      run(process.execPath, ["--import", "jiti/register", path("decode/plinth.ts"), engine, ...sizes]);
const { python } = o;
if (python) sides["torch"] = () => run(python, [path("decode/torch_side.py"), ...sizes]);
const { transformers, onnx } = o;
if (transformers && onnx)
  sides["transformers.js"] = () =>
    run(process.execPath, [path("decode/transformers.mjs"), transformers, onnx, ...sizes]);
const wanted = o.sides?.split(",") ?? Object.keys(sides);
const missing = wanted.find((side) => !sides[side]);
if (missing) throw new Error(`there is no side ${missing}: there are ${Object.keys(sides).join(", ")}`);

const rounds: Record<string, Measured[]> = Object.fromEntries(wanted.map((side) => [side, []]));
const bandwidths: number[] = [];
const busy: number[] = [];
for (let round = 1; round <= Number(o.rounds); round++) {
  if (sides["native"]) bandwidths.push((await peaks(Number(o.threads))).gigabytes);
  for (const side of wanted) {
    busy.push(await quiet(Number(o.patience)));
    const measured = sides[side]!();
    rounds[side]!.push(measured);
    console.log(
      `${round}: ${side} ${measured.token.toFixed(1)} ms a token, ${measured.prefill.toFixed(0)} ms the prompt`,
    );
  }
}

const digits = (x: number, n = 3) => Number(x.toPrecision(n));
const middle = (side: string, what: keyof Measured) => median(rounds[side]!.map((x) => x[what]));
const { gpt } = families;
// all weights but the positions, of which a token reads one
const bytes =
  4 * (parameterCount(gpt, gpt.presets.gpt2) - gpt.presets.gpt2.contextLength * gpt.presets.gpt2.hiddenSize);
const figures = wanted.map((side) => [
  side,
  {
    millisecondsPerToken: rounds[side]!.map((x) => digits(x.token)),
    tokensPerSecond: digits(1e3 / middle(side, "token")),
    gigabytesPerSecond: digits(bytes / middle(side, "token") / 1e6),
    millisecondsOfPrompt: rounds[side]!.map((x) => digits(x.prefill)),
    peakMemoryMB: middle(side, "memoryMB"),
  },
]);
const ratios = wanted.slice(1).map((side) => [
  `${side} / ${wanted[0]}`,
  {
    token: digits(middle(side, "token") / middle(wanted[0]!, "token")),
    prefill: digits(middle(side, "prefill") / middle(wanted[0]!, "prefill")),
  },
]);
const out = {
  date: new Date().toISOString().slice(0, 10),
  what: `a GPT-2 of 124 M parameters writes ${o.tokens} tokens behind ${o.prompt}, and reads ${o.long}; processes taking turns; a ratio is of times, above 1 the first side is the faster; gigabytes per second are those of the weights read for a token, memoryGigabytes what a copy moves; busyBefore is the largest share of the machine that others used in the second before a process started`,
  machine: machine(),
  threads: Number(o.threads),
  sides: Object.fromEntries(figures),
  ratios: Object.fromEntries(ratios),
  ...(bandwidths.length && { memoryGigabytesPerSecond: digits(Math.max(...bandwidths)) }),
  busyBefore: digits(Math.max(...busy), 2),
};
console.log(JSON.stringify(out, null, 2));
mkdirSync(path("results"), { recursive: true });
writeFileSync(path("results/decode.json"), `${JSON.stringify(out, null, 2)}\n`);
