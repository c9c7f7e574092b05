/**
 * One side of `npm run bench -- embed`: transformers.js, from a folder of its npm package, with a model folder that plinth exported
 * (onnx/model.onnx beside config.json and tokenizer.json).
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [module, model, file, threads, sorting] = /** @type {[string, string, string, string, string]} */ (
  /** @type {unknown} */ (process.argv.slice(2))
);
/** @type {{ name: string, version: string, exports: { node: { import: { default: string } } } }} */
const described = JSON.parse(readFileSync(join(module, "package.json"), "utf8"));
const entry = pathToFileURL(resolve(module, described.exports.node.import.default)).href;
const { env, pipeline } = await import(entry);
env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(model));
const session_options = { intraOpNumThreads: Number(threads) };
const extract = await pipeline("feature-extraction", basename(resolve(model)), { dtype: "fp32", session_options });

/** @type {string[]} */
const texts = JSON.parse(readFileSync(file, "utf8"));
/** @type {number[]} */
const sizes = texts.map((text) => extract.tokenizer.encode(text).length);
const order = Array.from(texts.keys());
if (sorting === "sorted") order.sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));

async function embed() {
  /** @type {number[][]} */
  const vectors = new Array(texts.length);
  const from = performance.now();
  for (let at = 0; at < order.length; at += 32) {
    const members = order.slice(at, at + 32);
    const batch = members.map((i) => texts[i]);
    const rows = (await extract(batch, { pooling: "mean", normalize: true })).tolist();
    for (const [b, i] of members.entries()) vectors[i] = rows[b];
  }
  return { seconds: (performance.now() - from) / 1000, vectors };
}
const { seconds: first } = await embed();
console.log(JSON.stringify({ ...(await embed()), first, version: described.version }));
