/**
 * One side of `npm run bench -- decode`: transformers.js, from a folder of its npm package, with a GPT-2 that plinth exported
 * (onnx/model.onnx); threads, prompt, tokens and long prompt as arguments, one line of JSON.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [module, model, ...sizes] = /** @type {[string, string, ...string[]]} */ (
  /** @type {unknown} */ (process.argv.slice(2))
);
const [threads = 2, prompt = 128, tokens = 128, long = 512] = sizes.map(Number);
/** @type {{ name: string, version: string, exports: { node: { import: { default: string } } } }} */
const described = JSON.parse(readFileSync(join(module, "package.json"), "utf8"));
const entry = pathToFileURL(resolve(module, described.exports.node.import.default)).href;
const { AutoModelForCausalLM, env, Tensor } = await import(entry);
env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(model));
const session_options = { intraOpNumThreads: threads };
const gpt = await AutoModelForCausalLM.from_pretrained(basename(resolve(model)), { dtype: "fp32", session_options });

/** Milliseconds to each token. @param {number} length @param {number} count */
async function times(length, count) {
  const ids = BigInt64Array.from({ length }, (_, i) => BigInt((i * 7919) % 50_257));
  const whole = (/** @type {BigInt64Array} */ data) => new Tensor("int64", data, [1, length]);
  /** @type {number[]} */
  const found = [];
  let from = performance.now();
  const streamer = {
    put() {
      found.push(performance.now() - from);
      from = performance.now();
    },
    end() {},
  };
  const feeds = { inputs: whole(ids), attention_mask: whole(new BigInt64Array(length).fill(1n)) };
  await gpt.generate({ ...feeds, max_new_tokens: count, min_new_tokens: count, do_sample: false, streamer });
  // the prompt is put first
  return found.slice(1);
}

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

await times(prompt, tokens);
await times(long, 1);
const [, ...single] = await times(prompt, tokens);
const prefills = [];
for (let i = 0; i < 3; i++) prefills.push((await times(long, 1))[0] ?? 0);
const memoryMB = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ token: median(single), prefill: median(prefills), memoryMB, version: described.version }));
