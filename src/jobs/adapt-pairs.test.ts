import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { parametersOf } from "../models/index.js";
import { openBase } from "./base.js";
import { openEmbedder } from "./embedder.js";
import {
  type AdaptPairsOptions,
  type AdaptPairsResult,
  adaptLanguage,
  adaptPairs,
  evaluate,
  pretrain,
  verifyRun,
} from "./index.js";
import type { PretrainOptions } from "./pretrain-options.js";

const folder = temporary("plinth-pairs-");
const at = (name: string) => join(folder(), name);
const run = async (events: AsyncIterable<unknown>) => {
  for await (const _ of events);
};
const results = (out: string) => JSON.parse(readFileSync(join(at(out), "results.json"), "utf8")) as AdaptPairsResult;

const things = ["cat", "dog", "bird", "horse", "river", "stone"];
const thing = (i: number) => things[i % 6]!;
const place = (i: number) => thing(i * 7 + Math.floor(i / 6));
const sentence = (i: number) => `the ${thing(i)} number ${i % 40} is near the ${place(i)}`;
const pre = (family: "gpt" | "bert" | "t5"): PretrainOptions => ({
  data: [at("text.jsonl")],
  out: at(family),
  family,
  vocabSize: family === "t5" ? 420 : 320,
  contextLength: 32,
  // a variant of GPT that GPT-2's own config.json cannot say
  model: { layers: 1, heads: 2, hiddenSize: 32, ...(family === "gpt" && { norm: "rmsNorm" }) },
  batchSize: 8,
  steps: 60,
  evaluateBatches: 4,
  threads: 1,
});
const pairs = (task: AdaptPairsOptions["task"], base: string): AdaptPairsOptions => ({
  task,
  data: [at("pairs.csv")],
  base: at(base),
  out: at(`${base}-${task}`),
  first: "question",
  second: "answer",
  batchSize: 8,
  steps: 60,
  learningRate: 3e-3,
  threads: 1,
});

beforeAll(async () => {
  const numbers = Array.from({ length: 400 }, (_, i) => i);
  writeFileSync(at("text.jsonl"), numbers.map((i) => JSON.stringify({ text: sentence(i) })).join("\n"));
  const rows = numbers.slice(0, 240).map((i) => `what is near ${thing(i)} number ${i},the ${place(i)} number ${i}`);
  writeFileSync(at("pairs.csv"), ["question,answer", ...rows].join("\n"));
  for (const family of ["gpt", "bert", "t5"] as const) await run(pretrain(pre(family)));
}, 120_000);

test("t5 learns to write what was cut out; its folder is a whole model, and is scored again", async () => {
  const base = await openBase(at("t5"));
  expect(base.family.name).toBe("t5");
  const wanted = parametersOf(base.family, base.config);
  expect((await base.weights(wanted)).size).toBe(wanted.length);
  const scores = await evaluate({ model: at("t5"), data: [at("text.jsonl")] });
  expect(scores["loss"]).toBeGreaterThan(0);
  expect(scores["loss"]).toBeLessThan(Math.log(base.config.vocabSize) - 0.5);
  expect(await verifyRun({ run: at("t5"), steps: 4 })).toMatchObject({ kind: "pretrain", same: true });
});

test("a t5 that starts with another token than its tokeniser pads with is refused", async () => {
  const o = pre("t5");
  await expect(
    run(pretrain({ ...o, out: at("start"), model: { ...o.model, start: 5 } })),
  ).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: the tokeniser pads with id 0 and ends with 1, the model starts with 5 and ends with 1
      help: set the model's start to 0 and its end to 1]
  `);
});

test.each(["full", "lora"] as const)(
  "going on with a t5 by %s lowers its loss, and keeps its answers",
  async (method) => {
    const out = at(`t5-on-${method}`);
    await run(
      adaptLanguage({ data: [at("text.jsonl")], base: at("t5"), out, method, steps: 40, batchSize: 8, threads: 1 }),
    );
    const { before, after } = JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as AdaptPairsResult;
    expect(after["loss"]).toBeLessThan(before["loss"]!);
  },
);

describe.each(["gpt", "bert", "t5"] as const)("a %s and pairs of sentences", (base) => {
  test("more right answers are nearest than before, and the folder is a model with its pooling", async () => {
    const o = pairs("sentence-pairs", base);
    await run(adaptPairs(o));
    const { before, after, pairs: counts } = results(`${base}-sentence-pairs`);
    expect(after["recallAt1"]).toBeGreaterThan(before["recallAt1"]!);
    expect(after["loss"]).toBeLessThan(before["loss"]!);
    expect(counts.train + counts.validation).toBe(240);
    const { json, config } = await openBase(o.out!);
    expect(config).toEqual((await openBase(at(base))).config);
    expect(json["plinth"]).toMatchObject({ task: "sentence-pairs", normalise: true });
    const { pooling, contextLength } = json["plinth"] as { pooling: string; contextLength: number };
    await using embedder = await openEmbedder({
      model: o.out!,
      text: "text",
      overflow: "truncate",
      batchSize: 4,
      engine: "auto",
    });
    expect(embedder).toMatchObject({ pooling, contextLength, normalise: true, stated: true });
    expect(await verifyRun({ run: o.out!, steps: 4 })).toMatchObject({ kind: "adapt sentence-pairs", same: true });
  });
});

test("a t5 learns to write answers, and a gpt is told that it cannot", async () => {
  const o = pairs("text-to-text", "t5");
  await run(adaptPairs(o));
  const { before, after } = results("t5-text-to-text");
  expect(after["loss"]).toBeLessThan(before["loss"]! - 0.5);
  const base = await openBase(o.out!);
  const wanted = parametersOf(base.family, base.config);
  expect((await base.weights(wanted)).size).toBe(wanted.length);
  await expect(run(adaptPairs(pairs("text-to-text", "gpt")))).rejects.toThrowErrorMatchingInlineSnapshot(`
    [PlinthError: a gpt model has no encoder that a decoder writes from
      help: start from a t5 model]
  `);
});

test("what cannot be learnt from is refused before a step is made", async () => {
  const refusal = (o: Partial<AdaptPairsOptions>) =>
    run(adaptPairs({ ...pairs("sentence-pairs", "bert"), out: at("refused"), ...o })).then(
      () => "taken",
      (error: Error) => String(error).replaceAll(folder(), ""),
    );
  expect(await refusal({ first: "questions" })).toMatchInlineSnapshot(`
    "PlinthError: there is no column "questions"
      at /pairs.csv:2
      help: the columns are question, answer; did you mean "question"?"
  `);
  expect(await refusal({ contextLength: 4096 })).toMatchInlineSnapshot(`
    "PlinthError: texts of 4096 tokens, in a model of 32
      help: use at most 32"
  `);
  expect(await refusal({ contextLength: 6 })).toMatchInlineSnapshot(`
    "PlinthError: 205 examples are longer than 4 tokens (the longest has 7): /pairs.csv:2, /pairs.csv:3, /pairs.csv:4
      help: set overflow to "truncate" or "drop", or use a longer contextLength"
  `);
  writeFileSync(at("one.csv"), "question,answer\nwhat,that\n");
  expect(await refusal({ data: [at("one.csv")] })).toMatchInlineSnapshot(`
    "PlinthError: no pairs are left for validation
      help: give more pairs, or name --validation"
  `);
  expect(await refusal({ method: "lora" as never })).toMatchInlineSnapshot(`
    "PlinthError: method: Invalid input: expected "full"
      at method
      help: see docs/reference/configuration.md"
  `);
});
