import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { bodyOf, writeTiny } from "../../test/tiny-model.js";
import { byLength } from "../data/index.js";
import { f32, nd } from "../ir/index.js";
import { families, openSafetensors, writeSafetensors } from "../models/index.js";
import { type EmbedOptions, embed, nearestTo } from "./embed.js";
import { type Embedding, openEmbedder } from "./embedder.js";
import { writeVectors } from "./write-vectors.js";

const folder = temporary("plinth-embed-");
const at = (name: string) => join(folder(), name);
const texts = [
  "a cat",
  "a dog in the house",
  "the cat sees a dog near the house in the city",
  "query: a cat",
  "it rains",
];
const { bert, gpt } = families;
const shape = { contextLength: 24, layers: 1, heads: 2, hiddenSize: 16 };

const modules = (...kinds: string[]) =>
  JSON.stringify(
    ["Transformer", ...kinds].map((kind, i) => ({
      idx: i,
      name: `${i}`,
      path: i ? `${i}_${kind}` : "",
      type: `sentence_transformers.models.${kind}`,
    })),
  );

/** A BERT folder, with these files of sentence-transformers beside it. */
async function sentenceModel(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  const path = at(name);
  await mkdir(join(path, "1_Pooling"), { recursive: true });
  await writeTiny(path, { family: bert, shape, texts, parameters: bodyOf(bert) });
  for (const [file, content] of Object.entries(files))
    await writeFile(join(path, file), typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
beforeAll(async () => {
  await sentenceModel("plain", {});
});

async function vectors(o: Partial<EmbedOptions> & { model: string }): Promise<Embedding[]> {
  const found: Embedding[] = [];
  for await (const one of embed({ texts, engine: "reference", ...o })) found.push(one);
  return found;
}
const close = (a: Float32Array, b: Float32Array) => a.every((x, i) => Math.abs(x - b[i]!) < 1e-6);
const length = (vector: Float32Array) => Math.hypot(...vector);

test("a text has the same vector alone as in a batch with longer ones, in the order given", async () => {
  const model = at("plain");
  const together = await vectors({ model, batchSize: 3 });
  expect(together.map((one) => one.text)).toEqual(texts);
  for (const [i, text] of texts.entries()) {
    const [alone] = await vectors({ model, texts: [text] });
    expect(close(alone!.vector, together[i]!.vector)).toBe(true);
    expect(length(alone!.vector)).toBeCloseTo(1, 6);
  }
});

test("pooling and scaling are what the folder's modules say, in the new spelling and the old", async () => {
  const old = { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false };
  const asked = {
    cls: await sentenceModel("cls", { "modules.json": modules("Pooling"), "1_Pooling/config.json": old }),
    max: await sentenceModel("max", {
      "modules.json": modules("Pooling", "Normalize"),
      "1_Pooling/config.json": { pooling_mode: "max" },
    }),
    last: await sentenceModel("last", {
      "modules.json": modules("Pooling"),
      "1_Pooling/config.json": { pooling_mode_lasttoken: true },
    }),
  };
  for (const [pooling, model] of Object.entries(asked) as ["cls" | "max" | "last", string][]) {
    await using embedder = await openEmbedder({
      model,
      text: "text",
      overflow: "error",
      batchSize: 4,
      engine: "reference",
    });
    expect(embedder).toMatchObject({ pooling, normalise: pooling === "max", stated: true, contextLength: 24 });
    const said = await vectors({ model });
    const told = await vectors({ model: at("plain"), pooling, normalise: pooling === "max" });
    expect(said.every((one, i) => close(one.vector, told[i]!.vector))).toBe(true);
    expect(Math.abs(length(said[0]!.vector) - 1) < 1e-5).toBe(pooling === "max");
  }
  await using plain = await openEmbedder({
    model: at("plain"),
    text: "text",
    overflow: "error",
    batchSize: 4,
    engine: "reference",
  });
  expect(plain).toMatchObject({ pooling: "mean", normalise: true, stated: false });
});

test("a prompt stands before each text, and is pooled with it unless the folder says otherwise", async () => {
  const prompts = { prompts: { query: "query: " }, default_prompt_name: null };
  const model = await sentenceModel("prompts", { "config_sentence_transformers.json": prompts });
  const [asked] = await vectors({ model, texts: ["a cat"], prompt: "query" });
  expect(asked!.text).toBe("a cat");
  const plain = await vectors({ model });
  expect(close(asked!.vector, plain[3]!.vector)).toBe(true);
  const left = await sentenceModel("left-out", {
    "config_sentence_transformers.json": { ...prompts, default_prompt_name: "query" },
    "modules.json": modules("Pooling", "Normalize"),
    "1_Pooling/config.json": { pooling_mode: "mean", include_prompt: false },
  });
  const [apart] = await vectors({ model: left, texts: ["a cat"] });
  expect(close(apart!.vector, asked!.vector)).toBe(false);
  await expect(vectors({ model, prompt: "passage" })).rejects.toThrow('the model has no prompt "passage"');
});

test("a text that is too long is cut and marked, or refused", async () => {
  const model = await sentenceModel("short", {
    "sentence_bert_config.json": { max_seq_length: 8, do_lower_case: true },
  });
  const found = await vectors({ model });
  expect(found.map((one) => one.truncated ?? false)).toEqual([false, false, true, false, false]);
  await expect(vectors({ model, overflow: "error" })).rejects.toThrow("1 example is longer than 6 tokens");
  const [upper] = await vectors({ model, texts: ["A CAT"] });
  expect(close(upper!.vector, found[0]!.vector)).toBe(true);
});

test("what no vectors can be made of is refused", async () => {
  const model = at("plain");
  await expect(vectors({ model, texts: [] })).rejects.toThrow("there is nothing to embed");
  await expect(vectors({ model, texts: ["a cat", " "] })).rejects.toThrow("the text is empty\n  at text 2");
  const dense = await sentenceModel("dense", { "modules.json": modules("Pooling", "Dense") });
  await expect(vectors({ model: dense })).rejects.toThrow("modules.json: a module Dense is not one plinth has");
  const weighted = await sentenceModel("weighted", {
    "modules.json": modules("Pooling"),
    "1_Pooling/config.json": { pooling_mode_mean_tokens: true, pooling_mode_weightedmean_tokens: true },
  });
  await expect(vectors({ model: weighted })).rejects.toThrow("pooling by mean and weightedmean is not supported");
  const damaged = await sentenceModel("damaged", { "modules.json": "[{" });
  await expect(vectors({ model: damaged })).rejects.toThrow("modules.json is damaged: it is not the JSON it should be");
});

test("a vector that is not one of numbers is refused", async () => {
  const path = at("infinite");
  await writeTiny(path, { family: bert, shape: { ...shape, epsilon: 1e-12 }, texts, parameters: bodyOf(bert) });
  await using file = await openSafetensors(join(path, "model.safetensors"));
  const types = new Map(Array.from(file.tensors, ([name, { shape }]) => [name, f32(shape)]));
  const value = (name: string) => nd("f32", types.get(name)!.shape, Number.NaN);
  await writeSafetensors(join(path, "model.safetensors"), { types, value });
  await expect(vectors({ model: path })).rejects.toThrow("the vector has numbers that are not finite\n  at text 1");
});

test("a causal model gives vectors too", async () => {
  await writeTiny(at("gpt"), { family: gpt, shape, texts });
  const found = await vectors({ model: at("gpt"), pooling: "last" });
  expect(found).toHaveLength(texts.length);
  expect(length(found[2]!.vector)).toBeCloseTo(1, 6);
});

test("the nearest texts come first, by the cosine of their angle to the question", async () => {
  const one = (id: string, ...numbers: number[]) => ({ id, text: id, vector: Float32Array.from(numbers) });
  async function* among() {
    yield* [one("far", -1, 0), one("near", 3, 1), one("nearest", 0.5, 0), one("across", 0, 2)];
  }
  const found = await nearestTo(Float32Array.from([2, 0]), { among: among(), top: 3 });
  expect(found.map(({ id, cosine }) => [id, Number(cosine.toFixed(3))])).toEqual([
    ["nearest", 1],
    ["near", 0.949],
    ["across", 0],
  ]);
});

describe("a file of vectors", () => {
  async function* some(): AsyncGenerator<Embedding> {
    yield { id: "1", text: "a", vector: Float32Array.from([1, 2, 3]) };
    yield { id: "2", text: "b", vector: Float32Array.from([4, 5, 6]), truncated: true };
  }
  test("is JSON lines with their texts", async () => {
    expect(await writeVectors(at("v.jsonl"), some())).toBe(2);
    const lines = (await readFile(at("v.jsonl"), "utf8")).trimEnd().split("\n");
    expect(JSON.parse(lines[1]!)).toEqual({ id: "2", text: "b", vector: [4, 5, 6], truncated: true });
  });
  test("is an array as NumPy writes it", async () => {
    expect(await writeVectors(at("v.npy"), some())).toBe(2);
    const bytes = await readFile(at("v.npy"));
    expect(bytes.subarray(0, 10).toString("latin1")).toBe("\x93NUMPY\x01\x00\x76\x00");
    expect(bytes.subarray(10, 128).toString().trimEnd()).toBe(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
    );
    expect(bytes[127]).toBe(10);
    expect([...new Float32Array(bytes.buffer.slice(bytes.byteOffset + 128))]).toEqual([1, 2, 3, 4, 5, 6]);
  });
  test("is a tensor in safetensors", async () => {
    expect(await writeVectors(at("v.safetensors"), some())).toBe(2);
    await using file = await openSafetensors(at("v.safetensors"));
    expect(await file.read("embeddings")).toMatchObject({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
  });
  test("is in one of these formats", async () => {
    await expect(writeVectors(at("v.csv"), some())).rejects.toThrow("vectors are not written to");
  });
});

test("batches by length hold every text once, the longest first, and fit it but for 64 tokens", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 16 }), (of, batchSize) => {
      const batches = byLength(of, { batchSize, contextLength: 500 });
      const members = batches.flatMap((batch) => batch.members);
      expect([...members].sort((a, b) => a - b)).toEqual([...of.keys()]);
      for (const { rows, length, members } of batches) {
        const longest = Math.max(...members.map((i) => of[i]!));
        expect(length).toBeGreaterThanOrEqual(longest);
        expect((length - longest) * rows).toBeLessThanOrEqual(64);
        expect(rows).toBeGreaterThanOrEqual(members.length);
        expect(rows).toBeLessThanOrEqual(Math.min(batchSize, 2 * members.length));
      }
    }),
  );
});
