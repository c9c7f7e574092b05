/**
 * How fast 1,000 sentences become vectors with MiniLM: plinth beside PyTorch with transformers, and transformers.js where it is given.
 *
 *     npm run bench -- embed --model <MiniLM> --data <jsonl of sentences> --python <python with transformers>
 *         [--transformers <folder of the npm package> --onnx <folder that plinth exported>] [--rounds 5] [--threads 2]
 *
 * The sides take turns, each in a process of its own: it opens the model, embeds all sentences once unmeasured and then once measured,
 * in batches of 32 sorted by length. The vectors are compared.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { rows } from "../src/data/index.js";
import { machine, median } from "./machine.js";

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    python: { type: "string" },
    transformers: { type: "string" },
    onnx: { type: "string" },
    sentences: { type: "string", default: "1000" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
  },
});
if (!options.model || !options.data) throw new Error("give --model and --data");
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Pass {
  /** Seconds of the pass that is measured, and of the one before it, in which programs are compiled. */
  readonly seconds: number;
  readonly first: number;
  readonly vectors: readonly (readonly number[])[];
  readonly version: string;
}

const texts: string[] = [];
for await (const { fields } of rows(options.data, { text: "text" }))
  if (texts.push(String(fields["text"])) === Number(options.sentences)) break;
const folder = mkdtempSync(join(tmpdir(), "plinth-embed-"));
const file = join(folder, "texts.json");
writeFileSync(file, JSON.stringify(texts));

const inJs = (packed: string, onnx: string, order: string) =>
  [process.execPath, [path("embed/transformers.mjs"), packed, onnx, file, options.threads, order]] as const;
const jiti = ["--import", "jiti/register"];
const sides: Record<string, readonly [command: string, args: readonly string[]]> = {
  plinth: [process.execPath, [...jiti, path("embed/plinth.ts"), options.model, file, options.threads]],
  ...(options.python && {
    pytorch: [options.python, [path("embed/pytorch.py"), options.model, file, options.threads]],
  }),
  ...(options.transformers &&
    options.onnx && {
      transformersjs: inJs(options.transformers, options.onnx, "sorted"),
      // as its users call it
      "transformersjs, in the order given": inJs(options.transformers, options.onnx, "given"),
    }),
};
const pass = (side: string): Pass => {
  const [command, args] = sides[side]!;
  return JSON.parse(execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 })) as Pass;
};

const passes: Record<string, Pass[]> = {};
try {
  for (let round = 0; round < Number(options.rounds); round++)
    for (const side of Object.keys(sides)) {
      const one = pass(side);
      passes[side] = [...(passes[side] ?? []), one];
      console.error(
        `round ${round + 1} ${side}: ${one.seconds.toFixed(2)} s, the first time ${one.first.toFixed(2)} s`,
      );
    }
} finally {
  rmSync(folder, { recursive: true });
}
const results = Object.entries(passes).map(([side, all]) => {
  const seconds = median(all.map((one) => one.seconds));
  return {
    side,
    version: all[0]!.version,
    seconds: Number(seconds.toFixed(3)),
    sentencesPerSecond: Math.round(texts.length / seconds),
    first: Number(median(all.map((one) => one.first)).toFixed(3)),
    plinthIsFasterBy: Number(median(all.map((one, i) => one.seconds / passes["plinth"]![i]!.seconds)).toFixed(3)),
    largestDifference: Number(difference(all[0]!, passes["plinth"]![0]!).toPrecision(2)),
  };
});
for (const result of results) console.log(JSON.stringify(result));
const out = {
  measured: "seconds to embed sentences, in batches by length",
  sentences: texts.length,
  threads: Number(options.threads),
  machine: machine(),
  load: loadavg()[0],
  results,
};
mkdirSync(path("results"), { recursive: true });
writeFileSync(path("results/embed.json"), `${JSON.stringify(out, null, 2)}\n`);

function difference(a: Pass, b: Pass): number {
  let most = 0;
  for (const [i, vector] of a.vectors.entries())
    for (const [j, x] of vector.entries()) most = Math.max(most, Math.abs(x - b.vectors[i]![j]!));
  return most;
}
