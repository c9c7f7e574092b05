/** One side of `npm run bench -- embed`: plinth. */
import { readFileSync } from "node:fs";
import { openEmbedder } from "../../src/jobs/index.js";

const [model, file, threads] = process.argv.slice(2) as [string, string, string];
const texts = JSON.parse(readFileSync(file, "utf8")) as string[];
const rows = texts.map((text, i) => ({ at: `${i}`, fields: { text } }));
await using embedder = await openEmbedder({
  model,
  text: "text",
  overflow: "truncate",
  batchSize: 32,
  engine: "native",
  threads: Number(threads),
});

async function embed(): Promise<{ seconds: number; vectors: number[][] }> {
  const vectors: Float32Array[] = [];
  const from = performance.now();
  for await (const { vector } of embedder.embed(rows)) vectors.push(vector);
  return { seconds: (performance.now() - from) / 1000, vectors: vectors.map((vector) => Array.from(vector)) };
}
const { seconds: first } = await embed();
console.log(JSON.stringify({ ...(await embed()), first, version: "native" }));
