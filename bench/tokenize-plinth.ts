/** One side of bench/tokenize: tokenize-plinth.ts <tokenizer.json> <texts.json> <seconds>; prints one JSON object. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { loadTokenizer } from "../src/data/index.js";

const [path, texts, seconds] = process.argv.slice(2) as [string, string, string];
const tokenizer = await loadTokenizer(path);
const groups = JSON.parse(readFileSync(texts, "utf8")) as string[][];

async function allIds(): Promise<number> {
  let count = 0;
  for (const group of groups) for (const ids of await tokenizer.encodeBatch(group)) count += ids.length;
  return count;
}

await allIds();
const start = performance.now();
let passes = 0;
let tokens = 0;
const elapsed = () => (performance.now() - start) / 1000;
while (elapsed() < Number(seconds)) {
  tokens += await allIds();
  passes++;
}
const { version } = createRequire(import.meta.url)("tokenizers/package.json") as { version: string };
console.log(JSON.stringify({ rate: tokens / elapsed(), tokens: tokens / passes, version }));
