/** Reads, encodes and batches a corpus, and prints its size and how much the process grew in the last three quarters of it. */
import { causalBatches, documents, trainTokenizer, writeShards } from "../../src/data/index.js";

const [corpus, folder] = process.argv.slice(2) as [string, string];

async function* beginning(): AsyncGenerator<string> {
  let count = 0;
  for await (const { text } of documents(corpus)) {
    yield text;
    if (++count === 200) return;
  }
}

const tokenizer = await trainTokenizer(beginning(), { kind: "bpe", vocabSize: 4500 });
const sizes: number[] = [];
const tokens = await writeShards(documents(corpus), {
  tokenizer,
  folder,
  end: tokenizer.special.eos!,
  progress: () => sizes.push(process.memoryUsage().rss),
});
const batches = await causalBatches(tokens, { tokenizer, contextLength: 128, batchSize: 16, seed: 1 });
for (let index = 0; index < 100; index++) await batches.at(index);
const quarter = Math.max(...sizes.slice(0, Math.ceil(sizes.length / 4)));
console.log(JSON.stringify({ bytes: tokens.header.bytes, grownMB: (process.memoryUsage().rss - quarter) / 2 ** 20 }));
