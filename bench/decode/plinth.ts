/** One side of bench/decode: a GPT-2 of random weights writes; engine, threads, prompt, tokens and long prompt as arguments, one line of JSON. */
import { families, parametersOf } from "../../src/models/index.js";
import { initialise } from "../../src/nn/index.js";
import { engines } from "../../src/runtime/index.js";
import { decoderOf, generate } from "../../src/serve/index.js";
import { median } from "../machine.js";

const [engine = "native", ...sizes] = process.argv.slice(2);
const [threads = 2, prompt = 128, tokens = 128, long = 512] = sizes.map(Number);
const { gpt } = families;
const config = gpt.presets.gpt2;
await using session = await engines[engine as keyof typeof engines].open(initialise(parametersOf(gpt, config), 1), {
  threads,
});
const decoder = decoderOf(gpt, config);

/** Milliseconds to each token. */
async function times(length: number, count: number): Promise<number[]> {
  const ids = Array.from({ length }, (_, i) => (i * 7919) % config.vocabSize);
  const found: number[] = [];
  let from = performance.now();
  for await (const _ of generate(session, decoder, { prompt: ids, tokens: count, temperature: 0 })) {
    found.push(performance.now() - from);
    from = performance.now();
  }
  return found;
}

// programs are compiled at their first run
await times(prompt, tokens);
await times(long, 1);
const [, ...single] = await times(prompt, tokens);
const prefills: number[] = [];
for (let i = 0; i < 3; i++) prefills.push((await times(long, 1))[0]!);
console.log(
  JSON.stringify({
    token: median(single),
    prefill: median(prefills),
    memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
