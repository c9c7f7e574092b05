/**
 * How long a model of 500 MB takes to open into a session and what memory that takes, beside reading its file twice.
 *
 *     npm run bench -- load [--preset gpt2] [--rounds 5] [--engines native,ort]
 *
 * The file is of random numbers, and in the system's cache. The sides take turns, each in a process of its own; what is read lies
 * in memory of its own, as the weights do in the end.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { presetNamed } from "../src/models/index.js";
import { writeRandomModel } from "../test/random-model.js";
import { machine, median } from "./machine.js";

const { values: options } = parseArgs({
  options: {
    preset: { type: "string", default: "gpt2" },
    rounds: { type: "string", default: "5" },
    engines: { type: "string", default: "native,ort" },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Pass {
  readonly milliseconds: number;
  readonly grown: number;
}
const child = path("../test/load-child.ts");
const pass = (folder: string, side: string): Pass =>
  JSON.parse(execFileSync(process.execPath, ["--import", "jiti/register", child, folder, side], { encoding: "utf8" }));

const folder = mkdtempSync(join(tmpdir(), "plinth-load-"));
const results: object[] = [];
let bytes = 0;
try {
  for (const floats of ["f32", "f16", "bf16"] as const) {
    const model = join(folder, floats);
    bytes = await writeRandomModel(model, { ...presetNamed(options.preset), floats });
    pass(model, "twice");
    const sides = options.engines.split(",");
    const passes: Record<string, Pass[]> = Object.fromEntries(["twice", ...sides].map((side) => [side, []]));
    for (let round = 0; round < Number(options.rounds); round++)
      for (const side of Object.keys(passes)) passes[side]!.push(pass(model, side));
    const twice = passes["twice"]!.map((one) => one.milliseconds);
    for (const engine of sides) {
      const loads = passes[engine]!;
      const ratio = median(loads.map((one, i) => one.milliseconds / twice[i]!));
      const result = {
        stored: floats,
        engine,
        milliseconds: Math.round(median(loads.map((one) => one.milliseconds))),
        readTwice: Math.round(median(twice)),
        timeByReadingTwice: Number(ratio.toFixed(2)),
        memoryByWeights: Number((median(loads.map((one) => one.grown)) / bytes).toFixed(3)),
      };
      results.push(result);
      console.log(JSON.stringify(result));
    }
    rmSync(model, { recursive: true });
  }
} finally {
  rmSync(folder, { recursive: true });
}
const out = {
  measured: "milliseconds to open a model, and the most memory the process grew by as a share of the weights",
  megabytes: Math.round(bytes / 1e6),
  machine: machine(),
  load: loadavg()[0],
  results,
};
mkdirSync(path("results"), { recursive: true });
writeFileSync(path("results/load.json"), `${JSON.stringify(out, null, 2)}\n`);
