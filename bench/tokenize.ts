/**
 * How fast text becomes tokens here, beside the same library called from Python with the same tokenizer.json and text.
 *
 *     npm run bench -- tokenize --python <python with tokenizers> [--rounds 7] [--seconds 1]
 *
 * The sides take turns, each in a process of its own, on 20,000 definitions of WordNet: once as they are, about 75 characters
 * each, once a hundred to a text. Both take the ids out, into an Int32Array here and a list there.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { synsets, trainTokenizer, wordnetDocuments } from "../src/data/index.js";
import { machine, median } from "./machine.js";

const { values: options } = parseArgs({
  options: {
    python: { type: "string" },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "1" },
  },
});
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

interface Pass {
  readonly rate: number;
  readonly tokens: number;
  readonly version: string;
}
const pass = (command: string, args: readonly string[]): Pass =>
  JSON.parse(execFileSync(command, args, { encoding: "utf8" })) as Pass;

/** Groups of about a million characters, as token shards are written. */
function grouped(texts: readonly string[]): string[][] {
  const groups: string[][] = [[]];
  let size = 0;
  for (const text of texts) {
    if (size > 1 << 20) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(text);
    size += text.length;
  }
  return groups;
}

const texts: string[] = [];
for await (const { text } of wordnetDocuments({ from: await synsets() })) if (texts.push(text) === 20_000) break;
const long = Array.from({ length: Math.ceil(texts.length / 100) }, (_, i) =>
  texts.slice(i * 100, (i + 1) * 100).join("\n"),
);
const folder = mkdtempSync(join(tmpdir(), "plinth-tokenize-"));
const results: object[] = [];
try {
  for (const kind of ["bpe", "wordpiece"] as const) {
    await (await trainTokenizer(texts, { kind, vocabSize: 8192 })).save(join(folder, kind));
    for (const [name, some] of Object.entries({ short: texts, long })) {
      const file = join(folder, `${name}.json`);
      writeFileSync(file, JSON.stringify(grouped(some)));
      results.push(measure(kind, name, [join(folder, kind, "tokenizer.json"), file, options.seconds]));
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
const out = { measured: "tokens per second", machine: machine(), load: loadavg()[0], results };
mkdirSync(path("results"), { recursive: true });
writeFileSync(path("results/tokenize.json"), `${JSON.stringify(out, null, 2)}\n`);

function measure(kind: string, name: string, args: readonly string[]): object {
  const ours: Pass[] = [];
  const python: Pass[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    ours.push(pass(process.execPath, ["--import", "jiti/register", path("tokenize-plinth.ts"), ...args]));
    if (options.python) python.push(pass(options.python, [path("tokenize.py"), ...args]));
  }
  const rate = (passes: readonly Pass[]) => Math.round(median(passes.map((one) => one.rate)));
  const ratios = python.map((one, i) => ours[i]!.rate / one.rate);
  const beside = python.length
    ? { python: rate(python), pythonVersion: python[0]!.version, ratio: Number(median(ratios).toFixed(3)) }
    : {};
  const agree = python.every((one) => one.tokens === ours[0]!.tokens);
  if (!agree) throw new Error(`the two sides count different tokens: ${ours[0]!.tokens} and ${python[0]!.tokens}`);
  const result = { tokenizer: kind, texts: name, tokens: ours[0]!.tokens, plinth: rate(ours), ...beside };
  console.log(JSON.stringify(result));
  return result;
}
