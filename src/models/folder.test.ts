import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { type Nd, nd, type Type } from "../ir/index.js";
import { type ModelFolderContent, openModelFolder, writeModelFolder } from "./folder.js";
import { loadWeights } from "./weights.js";

const folder = temporary("plinth-folder-");
const weights: Record<string, Nd> = {
  "wte.weight": nd("f32", [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
  "h.0.ln_1.weight": nd("f32", [2], [0.5, 0.25]),
  "h.0.ln_1.bias": nd("f32", [2], 0),
};
const content = (more: Partial<ModelFolderContent> = {}): ModelFolderContent => ({
  config: { model_type: "gpt2", n_embd: 2 },
  types: new Map<string, Type>(Object.entries(weights)),
  value: (name) => weights[name]!,
  ...more,
});
const wanted = new Map<string, Type>(Object.entries(weights));
async function load(
  path: string,
  ...options: Parameters<typeof loadWeights> extends [unknown, ...infer R] ? R : never
) {
  await using open = await openModelFolder(path);
  return await loadWeights(open, ...options);
}

test("a model folder comes back as it was written: weights, config, labels, files", async () => {
  const path = join(folder(), "whole");
  await writeModelFolder(path, content({ labels: ["cat", "dog"], files: { "README.md": "# A model\n" } }));
  await using open = await openModelFolder(path);
  expect(open.labels).toEqual(["cat", "dog"]);
  expect(open.config).toMatchObject({ model_type: "gpt2", torch_dtype: "float32", label2id: { cat: 0, dog: 1 } });
  expect(await open.text("README.md")).toBe("# A model\n");
  expect(await open.text("tokenizer.json")).toBeUndefined();
  expect(Object.fromEntries(await loadWeights(open, wanted))).toEqual(weights);
});

test("half-precision weights are as wide as the model wants when they are loaded", async () => {
  const path = join(folder(), "half");
  await writeModelFolder(path, content({ floats: "f16" }));
  expect(Object.fromEntries(await load(path, wanted))).toEqual(weights);
  expect(JSON.parse(await readFile(join(path, "config.json"), "utf8"))["torch_dtype"]).toBe("float16");
});

test("large weights are split, and written smaller again leave no old shard", async () => {
  const path = join(folder(), "shards");
  await writeModelFolder(path, content({ shardBytes: 40 }));
  const shards = [
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ];
  expect((await readdir(path)).sort()).toEqual(["config.json", ...shards]);
  expect(Object.fromEntries(await load(path, wanted))).toEqual(weights);
  await writeModelFolder(path, content());
  expect((await readdir(path)).sort()).toEqual(["config.json", "model.safetensors"]);
  expect(Object.fromEntries(await load(path, wanted))).toEqual(weights);
});

test("all that does not fit is told at once, with the nearest names", async () => {
  const path = join(folder(), "misfit");
  await writeModelFolder(path, content());
  const other = new Map<string, Type>([
    ["wte.weight", { dtype: "f32", shape: [5, 2] }],
    ["h.0.ln_1.gain", { dtype: "f32", shape: [2] }],
    ["h.0.ln_1.bias", { dtype: "f32", shape: [2] }],
  ]);
  await expect(load(path, other)).rejects.toThrow(
    [
      `${path} does not fit the model (3 tensors wanted, 3 found)`,
      "  missing: h.0.ln_1.gain (nearest: h.0.ln_1.weight)",
      "  not in the model: h.0.ln_1.weight (nearest: h.0.ln_1.gain)",
      "  of another shape: wte.weight is f32[4,2], the model has f32[5,2]",
      "  help: use the configuration that these weights were trained with",
    ].join("\n"),
  );
});

test("names are translated, and what may be missing or left over is let pass", async () => {
  const path = join(folder(), "renamed");
  await writeModelFolder(path, content());
  const rename = (name: string) => (name.endsWith("bias") ? undefined : `transformer.${name}`);
  const some = new Map<string, Type>([
    ["transformer.wte.weight", { dtype: "f32", shape: [4, 2] }],
    ["head.weight", { dtype: "f32", shape: [2, 2] }],
  ]);
  const found = await load(path, some, { rename, mayLack: (n) => n.startsWith("head"), mayHold: () => true });
  expect([...found]).toEqual([["transformer.wte.weight", weights["wte.weight"]]]);
});

test("saving that fails half-way leaves the old model whole", async () => {
  const path = join(folder(), "kept");
  await writeModelFolder(path, content());
  const value = (name: string): Nd => {
    if (name === "h.0.ln_1.bias") throw new Error("the worker died");
    return nd("f32", weights[name]!.shape, 9);
  };
  await expect(writeModelFolder(path, content({ value, shardBytes: 40 }))).rejects.toThrow("the worker died");
  expect((await readdir(path)).sort()).toEqual(["config.json", "model.safetensors"]);
  expect(Object.fromEntries(await load(path, wanted))).toEqual(weights);
});

test("what is not a model folder is told as such", async () => {
  const path = join(folder(), "foreign");
  await mkdir(path);
  const opening = () => openModelFolder(path).then((open) => open.close());
  await expect(opening()).rejects.toThrow(`${path} is not a model folder: it has no config.json`);
  await writeFile(join(path, "config.json"), "{}");
  await expect(opening()).rejects.toThrow(`${path} has no model.safetensors`);
  await writeFile(join(path, "pytorch_model.bin"), "");
  await expect(opening()).rejects.toThrow("convert the pickle: python3 -c");
  await writeFile(join(path, "model.safetensors.index.json"), `{"weight_map":{"a":"../../stolen.safetensors"}}`);
  await expect(opening()).rejects.toThrow("../../stolen.safetensors is outside of");
  await writeFile(join(path, "config.json"), "{");
  await expect(opening()).rejects.toThrow("config.json is damaged");
  await writeFile(join(path, "config.json"), `{"id2label":{"0":"a","2":"c"}}`);
  await expect(opening()).rejects.toThrow("id2label does not number its labels 0, 1, 2");
});
