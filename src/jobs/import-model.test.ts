import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { bodyOf, writeTiny } from "../../test/tiny-model.js";
import { type Nd, nd, params, Scope, type Type } from "../ir/index.js";
import {
  type AnyFamily,
  families,
  openModelFolder,
  openSafetensors,
  parameterCount,
  writeSafetensors,
} from "../models/index.js";
import { textClassification } from "../tasks/index.js";
import { openBase } from "./base.js";
import { embed } from "./embed.js";
import { type ImportOptions, importModel } from "./import-model.js";

const folder = temporary("plinth-import-");
const at = (name: string) => join(folder(), name);
const { bert, gpt, llama, t5 } = families;
const shape = { contextLength: 24, layers: 2, heads: 2, hiddenSize: 16 };
const texts = ["a cat sees a dog in the house"];

beforeAll(async () => {
  await writeTiny(at("whole"), { family: bert, shape, texts });
  await writeTiny(at("body"), { family: bert, shape, texts, parameters: bodyOf(bert) });
});
const importing = (model: string, out: string, o: Partial<ImportOptions> = {}) =>
  importModel({ model: at(model), out: at(out), ...o });

async function tensors(path: string): Promise<Record<string, Nd>> {
  await using open = await openModelFolder(path);
  const found: Record<string, Nd> = {};
  for (const name of open.tensors.keys()) found[name] = await open.read(name);
  return found;
}

/** Write the weights of a folder anew, changed. */
async function changed(from: string, to: string, change: (weights: Record<string, Nd>) => void): Promise<void> {
  await cp(at(from), at(to), { recursive: true });
  const weights = await tensors(at(from));
  change(weights);
  const types = new Map<string, Type>(Object.entries(weights));
  await writeSafetensors(join(at(to), "model.safetensors"), { types, value: (name) => weights[name]! });
}

test.each(["f32", "f16", "bf16"] as const)(
  "%s in shards is stored as it came, and reads as the same numbers",
  async (floats) => {
    await writeTiny(at(`sharded-${floats}`), { family: gpt, shape, texts, floats, shardBytes: 9000 });
    const imported = await importing(`sharded-${floats}`, `one-${floats}`);
    expect(imported).toMatchObject({ family: "gpt", floats, languageHead: true, tokenizer: { kind: "BPE" } });
    await using file = await openSafetensors(at(`one-${floats}/model.safetensors`));
    expect(new Set(Array.from(file.tensors.values(), (one) => one.dtype))).toEqual(new Set([floats.toUpperCase()]));
    expect(await tensors(at(`one-${floats}`))).toEqual(await tensors(at(`sharded-${floats}`)));
    const narrowed = await importing(`sharded-${floats}`, `half-${floats}`, { floats: "f16" });
    expect(narrowed.parameters).toBe(imported.parameters);
    await openBase(at(`half-${floats}`));
  },
);

test("names of older files and of a bare body become those of today", async () => {
  await changed("body", "old", (weights) => {
    for (const [name, value] of Object.entries(weights)) {
      delete weights[name];
      const old = name.replace(/^bert\./, "").replace(/LayerNorm\.weight$/, "LayerNorm.gamma");
      weights[old.replace(/LayerNorm\.bias$/, "LayerNorm.beta")] = value;
    }
    weights["embeddings.position_ids"] = nd(
      "i64",
      [1, 24],
      Array.from({ length: 24 }, (_, i) => i),
    );
  });
  const imported = await importing("old", "new");
  expect(imported).toMatchObject({ family: "bert", languageHead: false });
  expect(await tensors(at("new"))).toEqual(await tensors(at("body")));
});

test.each<[string, AnyFamily]>([
  ["llama", llama],
  ["t5", t5],
])("a model of family %s comes whole", async (name, family) => {
  const { config } = await writeTiny(at(name), { family, shape, texts });
  const imported = await importing(name, `${name}-2`);
  expect(imported).toMatchObject({ family: name, parameters: parameterCount(family, config), languageHead: true });
});

test("a classifier keeps its head and its labels", async () => {
  const task = (c: never) =>
    params([textClassification(bert, c, { p: new Scope(), batch: 1, length: 8, classes: 2 }).outputs.logits]);
  await writeTiny(at("classifier"), { family: bert, shape, texts, parameters: (config) => task(config as never) });
  const config = JSON.parse(await readFile(at("classifier/config.json"), "utf8"));
  await writeFile(at("classifier/config.json"), JSON.stringify({ ...config, id2label: { 0: "no", 1: "yes" } }));
  const imported = await importing("classifier", "classifier-2");
  expect(imported.labels).toEqual(["no", "yes"]);
  expect(Object.keys(await tensors(at("classifier-2")))).toContain("classifier.weight");
});

test("what stands beside the weights is kept: generation config, pooling modules, the tokeniser's files", async () => {
  await cp(at("body"), at("sentence"), { recursive: true });
  await mkdir(at("sentence/1_Pooling"));
  const files = {
    "modules.json": JSON.stringify([
      { type: "sentence_transformers.models.Transformer", path: "" },
      { type: "sentence_transformers.models.Pooling", path: "1_Pooling" },
      { type: "sentence_transformers.models.Normalize", path: "2_Normalize" },
    ]),
    "1_Pooling/config.json": '{ "pooling_mode_cls_token": true }',
    "generation_config.json": '{ "max_length": 20 }',
    "special_tokens_map.json": "{}",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(at(`sentence/${name}`), text);
  const imported = await importing("sentence", "sentence-2");
  expect(imported).toMatchObject({ pooling: "cls", normalise: true });
  for (const [name, text] of Object.entries(files)) {
    expect(imported.files).toContain(name);
    expect(await readFile(at(`sentence-2/${name}`), "utf8")).toBe(text);
  }
  const [before] = await vectors(at("sentence"));
  expect((await vectors(at("sentence-2")))[0]).toEqual(before);
  // another model in its place is not told by what stood beside this one
  await importing("body", "sentence-2", { replace: true });
  const left = await readdir(at("sentence-2"));
  expect(left).toEqual(expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json"]));
  for (const name of Object.keys(files)) expect(left).not.toContain(name.split("/")[0]);
});

async function vectors(model: string): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for await (const { vector } of embed({ model, texts, engine: "reference" })) found.push(vector);
  return found;
}

test("a vocab.txt becomes the tokenizer.json that every other program reads", async () => {
  await cp(at("body"), at("older"), { recursive: true });
  const { model } = JSON.parse(await readFile(at("older/tokenizer.json"), "utf8"));
  await rm(at("older/tokenizer.json"));
  await writeFile(at("older/vocab.txt"), Object.keys(model.vocab).join("\n"));
  await importing("older", "older-2");
  expect(JSON.parse(await readFile(at("older-2/tokenizer.json"), "utf8")).model.vocab).toEqual(model.vocab);
});

test("everything that does not fit is told at once, with the nearest names", async () => {
  await changed("whole", "wrong", (weights) => {
    const moved = "bert.encoder.layer.0.output.dense.weight";
    weights["bert.encoder.layer.0.output.dence.weight"] = weights[moved]!;
    delete weights[moved];
    delete weights["cls.predictions.bias"];
    weights["bert.embeddings.LayerNorm.bias"] = nd("f32", [8], 0);
    weights["extra.weight"] = nd("f32", [1], 0);
  });
  await expect(importing("wrong", "x")).rejects.toThrow(
    [
      "  missing: bert.encoder.layer.0.output.dense.weight (nearest: bert.encoder.layer.0.output.dence.weight)",
      "  missing: cls.predictions.bias",
      "  not in the model: bert.encoder.layer.0.output.dence.weight (nearest: bert.encoder.layer.0.output.dense.weight)",
      "  not in the model: extra.weight",
      "  of another shape: bert.embeddings.LayerNorm.bias is f32[8], the model has f32[16]",
    ].join("\n"),
  );
});

test("foreign, damaged and pickled models, and folders that are taken, are refused", async () => {
  await cp(at("whole"), at("foreign"), { recursive: true });
  await writeFile(at("foreign/config.json"), '{ "model_type": "robertta" }');
  await expect(importing("foreign", "x")).rejects.toThrow(
    'model_type "robertta" is not one plinth has\n  help: did you mean roberta?',
  );
  await cp(at("whole"), at("torn"), { recursive: true });
  await writeFile(at("torn/generation_config.json"), "{");
  await expect(importing("torn", "x")).rejects.toThrow("generation_config.json is damaged");
  await cp(at("whole"), at("pickle"), { recursive: true });
  await rename(at("pickle/model.safetensors"), at("pickle/pytorch_model.bin"));
  await expect(importing("pickle", "x")).rejects.toThrow(
    `has no model.safetensors, only pytorch_model.bin\n  help: convert the pickle: python3 -c "import torch; from safetensors.torch import save_file;`,
  );
  await expect(importing("whole", "whole")).rejects.toThrow("is the folder that is read");
  await importing("whole", "taken");
  await expect(importing("whole", "taken")).rejects.toThrow(`there is a model in ${at("taken")} already`);
  await importing("whole", "taken", { replace: true });
});
