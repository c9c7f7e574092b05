/** What data, tokenisers, adapters and metrics say when something is wrong with them. */
import { cpSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { full, loadAdapter, merge, methods, requireSame, select } from "../../src/adapt/index.js";
import {
  causalBatches,
  classificationBatches,
  encodeExamples,
  loadTokenizer,
  maskedBatches,
  openShards,
  rows,
  trainTokenizer,
  writeShards,
} from "../../src/data/index.js";
import { readError } from "../../src/data/text.js";
import { accuracy, efficiency, readCurve, writeCurve } from "../../src/evaluate/index.js";
import { bitsPerByte, loss } from "../../src/evaluate/metrics.js";
import { nd, param } from "../../src/ir/index.js";
import { writeSafetensors } from "../../src/models/index.js";
import { syntheticCurve } from "../synthetic-curve.js";
import { temporary } from "../temporary.js";
import { said } from "./said.js";

const folder = temporary("plinth-messages-");
const at = (name: string) => join(folder(), name);
const written = (name: string, text: string) => {
  writeFileSync(at(name), text);
  return at(name);
};
const bpe = trainTokenizer(["the cat sat on the mat"], { kind: "bpe", vocabSize: 260 });
const pieces = trainTokenizer(["the cat sat on the mat"], { kind: "wordpiece", vocabSize: 64 });

async function* texts() {
  yield { at: "memory:1", text: "the cat sat on the mat" };
}
async function all(source: AsyncIterable<unknown>) {
  for await (const _ of source);
}

test("sources name the file and what to do with it", async () => {
  mkdirSync(at("folder.txt"));
  writeFileSync(at("folder.txt/a.txt"), "a");
  const parquet = written("a.parquet.gz", "PAR1");
  expect(await said([() => all(rows(parquet))], folder())).toMatchInlineSnapshot(`
    "[source] a Parquet file is compressed inside
      at a.parquet.gz
      help: unpack it: remove .gz or .zst"
  `);
});

test("tokenisers say what they lack", async () => {
  const vocabulary = written("vocab.txt", "[PAD]\nhello\n");
  const foreign = written("tokenizer.json", '{ "model": { "type": "Nothing" } }');
  const nothing = async () => trainTokenizer([], { kind: "bpe", vocabSize: 300 });
  const small = async () => trainTokenizer(["a"], { kind: "bpe", vocabSize: 20 });
  const refusals = [() => loadTokenizer(vocabulary), () => loadTokenizer(foreign), nothing, small];
  const messages = await said(refusals, folder());
  // what the library says of a file it cannot read is its own
  expect(messages.replace(/(not a tokeniser: ).*/, "$1…")).toMatchInlineSnapshot(`
    "[tokenizer] this vocab.txt lacks [UNK], [CLS], [SEP], [MASK]
      at vocab.txt
      help: is it BERT's?
    [tokenizer] not a tokeniser: …
      at tokenizer.json
      help: save it with a tokenizers library
    [tokenizer] there is no text to learn a tokeniser from
      help: check the data source
    [tokenizer] a bpe vocabulary of 20 is too small
      help: use at least 257"
  `);
});

test("token shards and batches say what does not fit", async () => {
  const [causal, masked] = [await bpe, await pieces];
  const shards = await writeShards(texts(), { tokenizer: causal, folder: at("shards") });
  const o = { contextLength: 8, batchSize: 1, seed: 1 };
  cpSync(at("shards"), at("short"), { recursive: true });
  truncateSync(at("short/tokens.bin"), 2);
  const example = { id: "1", ids: new Int32Array(9), label: 0 };
  expect(
    await said(
      [
        () => openShards(at("none")),
        () => openShards(at("short")),
        () => causalBatches(shards, { ...o, tokenizer: causal }),
        () => maskedBatches(shards, { ...o, tokenizer: causal }),
        () => maskedBatches(shards, { ...o, tokenizer: masked, rate: 2 }),
        () => classificationBatches([], { batchSize: 1, seed: 1 }),
        () => classificationBatches([example], { batchSize: 1, seed: 1, contextLength: 8 }),
      ],
      folder(),
    ),
  ).toMatchInlineSnapshot(`
    "[source] there are no token shards here
      at none
      help: delete the folder: it is written again from the text
    [source] the token shards are cut short: 1 of 15 tokens
      at short
      help: delete the folder: it is written again from the text
    [tokenizer] a causal model needs an end-of-text token after each document
      help: write the shards with \`end\`, from a tokeniser of kind bpe or characters
    [tokenizer] a masked model needs a tokeniser with [CLS], [SEP] and [MASK]
      help: train one of kind wordpiece
    [config] a masking rate of 2 is not between 0 and 1
    [labels] there are no examples
      help: check the data and the overflow setting
    [overflow] an example has 9 tokens, batches at most 8
      help: encode with that contextLength"
  `);
  shards.close();
});

test("what cannot be read or written, and words that are none", async () => {
  const system = (code: string) => () => {
    throw readError(Object.assign(new Error(code), { code }), "a.txt");
  };
  const vocabulary = written("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
  const tokenizer = await loadTokenizer(vocabulary);
  const shards = await writeShards(texts(), { tokenizer, folder: at("no-words") });
  const o = { contextLength: 8, batchSize: 1, seed: 1, tokenizer };
  const blocked = written("file", "");
  const refusals = [
    system("EISDIR"),
    () => maskedBatches(shards, o),
    () => writeShards(texts(), { tokenizer, folder: join(blocked, "shards") }),
  ];
  expect(await said(refusals, folder())).toMatchInlineSnapshot(`
    "[source] this is a folder, not a file
      at a.txt
      help: give the folder without an ending
    [tokenizer] every entry of the vocabulary is a special token: there are no words
      help: give more text, or train a larger vocabulary
    [disk] a file stands in the way while writing token shards
      at file/shards
      help: free space or choose another folder"
  `);
  shards.close();
});

test("an example without a label is named", async () => {
  const tokenizer = await pieces;
  const row = { at: "a.csv:2", fields: { text: "the cat", label: "" } };
  expect(await said([() => encodeExamples([row], { tokenizer, contextLength: 8 })])).toMatchInlineSnapshot(`
    "[labels] the label is empty
      at a.csv:2
      help: fill it in or remove the line"
  `);
});

test("adapters say what does not belong together", async () => {
  const w = param("w", [2], () => new Float32Array(2));
  const file = at("weights.safetensors");
  const value = nd("f32", [2], 0);
  const content = { types: new Map([["w", value]]), value: () => value };
  await writeSafetensors(file, content);
  const odd = at("odd.safetensors");
  const metadata = { format: "plinth-adapter-1", base: "b", method: "lora", options: "[" };
  await writeSafetensors(odd, { ...content, metadata });
  expect(
    await said(
      [
        () => loadAdapter(file),
        () => loadAdapter(odd),
        () => merge([w], full, new Map()),
        () => requireSame(nd("f32", [2], 0), nd("f32", [3], 0)),
        () => methods.head.adaptation([w], { head: [] }),
        () => select(["w"], ["/(/"]),
      ],
      folder(),
    ),
  ).toMatchInlineSnapshot(`
    "[checkpoint] weights.safetensors is no adapter
      help: name the adapter.safetensors of an adapted run
    [checkpoint] odd.safetensors has options that are no JSON object
      help: save the adapter again
    [checkpoint] cannot merge: the state has no w
      help: name the adapter that goes with this model
    [parity] the merged model gives 3 numbers where there were 2
    [target] the task adds no head to train, and the body is frozen
      help: adapt with lora or full
    [target] /(/ is no regular expression: Invalid regular expression: /(/: Unterminated group"
  `);
});

test("metrics and curves say what was not measured", async () => {
  const broken = written("curve.json", "{");
  const curve = syntheticCurve();
  const lonely = { ...curve, runs: curve.runs.filter((run) => run.arm === "adapted") };
  const counted = loss.add(loss.empty(), { losses: [1] });
  const messages = await said(
    [
      () => loss.value(loss.empty()),
      () => loss.add(loss.empty(), { losses: [1, Number.NaN] }),
      () => bitsPerByte.value(bitsPerByte.add(bitsPerByte.empty(), { losses: [1] })),
      () => accuracy.value(accuracy.empty()),
      () => readCurve(broken),
      () => writeCurve(at("other.json"), { ...curve, parameters: Number.NaN }),
      () => efficiency(lonely),
    ],
    folder(),
  );
  expect(loss.value(counted)).toBe(1);
  expect(messages.replace(/(is not JSON: ).*/, "$1…")).toMatchInlineSnapshot(`
    "[labels] mean loss in nats: no place with a label was evaluated
      help: check the held-out data
    [non-finite] the evaluation loss at place 1 is NaN
    [data] bits per byte: no bytes were counted
      help: give \`bytes\` with the losses
    [labels] share of right answers: no example was evaluated
      help: check the held-out data
    [run] curve.json is not JSON: …
      help: run \`plinth adapt --control\` again
    [run] this curve cannot be saved: Invalid input: expected number, received NaN
      at parameters
    [run] no adapted run has a run from scratch of the same size and seed
      help: adapt with \`--control\`"
  `);
});
