/** How long `plinth --help` takes, beside a Node that does nothing, interleaved; and how large an installation is. */
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { machine, median } from "./machine.js";

const rounds = 25;
const here = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

function milliseconds(...words: string[]): number {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, words, { stdio: "ignore" });
  if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}`);
  return performance.now() - start;
}

/** Bytes of the files under a folder; names with a dot are caches that tools leave, and a file with two names counts once. */
function bytesUnder(folder: string, seen = new Set<number>()): number {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
  return entries.reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sum + bytesUnder(path, seen);
    const { ino, size } = lstatSync(path);
    if (seen.has(ino)) return sum;
    seen.add(ino);
    return sum + size;
  }, 0);
}

const help: number[] = [];
const empty: number[] = [];
for (let round = 0; round < rounds; round++) {
  empty.push(milliseconds("-e", "0"));
  help.push(milliseconds(here("bin/plinth.js"), "--help"));
}
const result = {
  measured: "milliseconds of one process, start to end; median of interleaved rounds",
  machine: machine(),
  rounds,
  helpMilliseconds: Math.round(median(help)),
  helpLeastMilliseconds: Math.round(Math.min(...help)),
  nodeMilliseconds: Math.round(median(empty)),
  limitMilliseconds: 300,
  installedMegabytes: Math.round(bytesUnder(here("node_modules")) / 1e6),
  limitMegabytes: 600,
};
mkdirSync(here("bench/results"), { recursive: true });
writeFileSync(here("bench/results/start.json"), `${JSON.stringify(result, null, 2)}\n`);
console.log(result);
