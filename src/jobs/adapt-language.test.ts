import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { hashWeights, loadAdapter } from "../adapt/index.js";
import { parametersOf } from "../models/index.js";
import { readEvents } from "../train/index.js";
import { openBase } from "./base.js";
import { type AdaptLanguageOptions, type AdaptLanguageResult, adaptLanguage, pretrain, verifyRun } from "./index.js";
import type { PretrainOptions } from "./pretrain-options.js";

const folder = temporary("plinth-adapt-language-");
const at = (name: string) => join(folder(), name);
const jsonl = (sentence: (i: number) => string, n: number) =>
  Array.from({ length: n }, (_, i) => JSON.stringify({ text: sentence(i) })).join("\n");
const run = async (events: AsyncIterable<unknown>) => {
  for await (const _ of events);
};
const results = (out: string) => JSON.parse(readFileSync(join(at(out), "results.json"), "utf8")) as AdaptLanguageResult;

const pre = (family: "gpt" | "bert"): PretrainOptions => ({
  data: [at("before.jsonl")],
  out: at(family),
  family,
  tokenizer: family === "gpt" ? "bpe" : "words",
  vocabSize: 320,
  contextLength: 32,
  model: { layers: 2, heads: 2, hiddenSize: 32, dropout: 0.1 },
  batchSize: 8,
  steps: 60,
  threads: 1,
});
const more = (base: string, method: "full" | "lora", out = `${base}-${method}`): AdaptLanguageOptions => ({
  data: [at("after.jsonl")],
  base: at(base),
  out: at(out),
  method,
  rank: 4,
  steps: 40,
  learningRate: method === "full" ? 3e-3 : 1e-2,
  batchSize: 8,
  validationShare: 0.1,
  threads: 1,
});

beforeAll(async () => {
  writeFileSync(
    at("before.jsonl"),
    jsonl((i) => `the cat number ${i % 50} is near the river and the dog is far`, 400),
  );
  writeFileSync(
    at("after.jsonl"),
    jsonl((i) => `far is number ${i % 50} the dog near the cat of the river and`, 300),
  );
  await run(pretrain(pre("gpt")));
  await run(pretrain(pre("bert")));
});

describe.each(["gpt", "bert"] as const)("going on with a %s", (base) => {
  test.each(["full", "lora"] as const)("by %s lowers the loss on text of the new kind", async (method) => {
    const o = more(base, method);
    await run(adaptLanguage(o));
    const { before, after, trainableParameters, parity } = results(`${base}-${method}`);
    expect(after["loss"]).toBeLessThan(before["loss"]! - 0.3);
    expect(after["perplexity"]).toBeCloseTo(Math.exp(after["loss"]!), 6);
    expect("bitsPerByte" in after).toBe(base === "gpt");
    const [first] = (await readEvents(o.out!)).filter((e) => e.type === "score");
    expect(first).toMatchObject({ step: 0, scores: before, best: false });
    const [old, merged] = [await openBase(at(base)), await openBase(o.out!)];
    expect(merged.config).toEqual(old.config);
    if (method === "full") return expect(parity).toBeUndefined();

    expect(parity).toBeLessThan(1e-4);
    const adapter = await loadAdapter(join(o.out!, "adapter", "adapter.safetensors"));
    const wanted = parametersOf(old.family, old.config);
    const weights = await old.weights(wanted);
    expect(adapter).toMatchObject({ base: hashWeights(weights), method: "lora", options: { rank: 4, alpha: 8 } });
    expect([...adapter.tensors.values()].reduce((sum, { data }) => sum + data.length, 0)).toBe(trainableParameters);
    const changed = [...(await merged.weights(wanted))].filter(
      ([name, w]) => !Buffer.from(w.data.buffer).equals(Buffer.from(weights.get(name)!.data.buffer)),
    );
    expect(changed.map(([name]) => `${name}.lora_a`).sort()).toEqual(
      [...adapter.tensors.keys()].filter((n) => n.endsWith("lora_a")).sort(),
    );
  });
});

test("the first steps of pre-training and of adapting are the same bits with a restart between", async () => {
  const lora = more("gpt", "lora", "verified");
  await run(adaptLanguage({ ...lora, steps: 6, accumulation: 2 }));
  const kind = "adapt language-modelling";
  expect(await verifyRun({ run: lora.out!, steps: 4 })).toMatchObject({ kind, steps: 4, same: true, different: [] });
  expect(await verifyRun({ run: at("bert"), steps: 4 })).toMatchObject({ kind: "pretrain", same: true });
});

test("a run whose data has changed cannot be verified", async () => {
  cpSync(at("gpt"), at("moved"), { recursive: true });
  const record = JSON.parse(readFileSync(at("moved/run.json"), "utf8"));
  record.config.data = [at("after.jsonl")];
  writeFileSync(at("moved/run.json"), JSON.stringify(record));
  await expect(verifyRun({ run: at("moved") })).rejects.toMatchObject({
    code: "run",
    what: "what the run learnt from has changed since: train, validation, tokenizer",
  });
  await expect(verifyRun({ run: at("none") })).rejects.toMatchObject({ code: "run" });
});

test("what cannot be adapted is refused", async () => {
  const refused = async (o: Partial<AdaptLanguageOptions>) =>
    run(adaptLanguage({ ...more("gpt", "lora", "refused"), ...o })).then(
      () => "not refused",
      (e: Error) => e.message,
    );
  const said = [
    await refused({ contextLength: 64 }),
    await refused({ rank: 32 }),
    await refused({ select: ["c_atn"] }),
    await refused({ base: "no-such-model" }),
  ];
  expect(said.join("\n\n")).toMatchInlineSnapshot(`
    "rows of 64 tokens, in a model of 32
      help: use at most 32

    LoRA of rank 32 on a matrix [32,96]
      at h.0.attn.c_attn.weight
      help: the rank must be below both sides

    no matrix matches c_atn
      help: nearest: h.*.attn.c_attn.weight, h.*.attn.c_proj.weight, h.*.mlp.c_fc.weight, h.*.mlp.c_proj.weight

    there is no model at no-such-model
      help: name a model folder, a run that finished, or plinth-tiny-en, which travels with plinth"
  `);
});
