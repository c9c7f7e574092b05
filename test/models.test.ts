/** The model table: what holds for every preset of every family. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Nd, nameOf, nd, params, print, Scope, size, type Tensor } from "../src/ir/index.js";
import {
  type AnyFamily,
  describe as describeModel,
  families,
  type ModelSizes,
  openSafetensors,
  parameterCount,
  parametersOf,
  presetNamed,
  writeSafetensors,
} from "../src/models/index.js";
import { initialise, randomStream } from "../src/nn/index.js";
import { adamw, training } from "../src/optim/index.js";
import { engines, ort } from "../src/runtime/index.js";
import { type LanguageModelling, languageModelling } from "../src/tasks/language-modelling.js";

interface Preset {
  readonly name: string;
  readonly family: AnyFamily;
  readonly config: ModelSizes;
}
const presets = Object.values<AnyFamily>(families).flatMap((family) =>
  Object.entries(family.presets).map(([name, config]): Preset => ({ name, family, config: config as ModelSizes })),
);
/** A preset that trains within a second: itself up to a third of a million parameters, else its own heads with fewer words, layers and width. */
const small = ({ family, config }: Preset): ModelSizes & { intermediateSize?: undefined } =>
  parameterCount(family, config) < 4e5
    ? config
    : {
        ...config,
        vocabSize: 512,
        layers: Math.min(config.layers, 4),
        hiddenSize: config.heads * (config.heads < 6 ? 16 : 8),
        intermediateSize: undefined,
      };

const [batch, length, places] = [4, 16, 12];
const objective = (family: AnyFamily, config: ModelSizes): LanguageModelling =>
  languageModelling(family, config, { p: new Scope(), batch, length, places, training: true });

/** One batch of random tokens. */
function feeds(inputs: Readonly<Record<string, Tensor>>, { vocabSize }: ModelSizes): Record<string, Nd> {
  const random = randomStream(7, "batch");
  const below = (n: number) => () => Math.floor(random() * n);
  const values: Record<string, (i: number) => number> = {
    ids: below(vocabSize),
    labels: below(vocabSize),
    segments: () => 1,
    weights: () => 1,
    positions: (i) => i % length,
    decoderIds: below(vocabSize),
    decoderSegments: () => 1,
    places: (i) => i * 5,
    seed: () => 1,
  };
  const fill = ({ dtype, shape }: Tensor, value: (i: number) => number) =>
    nd(
      dtype,
      shape,
      Array.from({ length: size(shape) }, (_, i) => value(i)),
    );
  return Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, fill(t, values[name]!)]));
}

test.each(presets)("$name learns: its loss falls in 20 steps and every parameter gets a gradient", async (preset) => {
  const { family } = preset;
  const config = small(preset);
  const built = objective(family, config);
  const { step, state, trainable } = training(built.objective, adamw(), { clip: 1, decays: family.decays });
  await using session = await ort.open(new Map([...initialise(params([built.objective.sum]), 0), ...state]));
  const losses: number[] = [];
  for (let i = 1; i <= 20; i++) {
    const clock = { learningRate: nd("f32", [], 3e-3), step: nd("f32", [], i) };
    const out = await session.run(step, { ...feeds(built.inputs, config), ...clock });
    losses.push(out["loss"]!.data[0] as number);
    const still = trainable.filter((_, k) => !((out["gradientNorms"]!.data[k] as number) > 0));
    expect(still.map(nameOf)).toEqual([]);
  }
  expect(losses[0]).toBeCloseTo(Math.log(config.vocabSize), 0);
  expect(losses.at(-1)! / losses[0]!).toBeLessThan(0.9);
});

test.each(presets)("$name computes the same loss on every engine", async (preset) => {
  const config = small(preset);
  const { objective: o, inputs } = objective(preset.family, config);
  const state = initialise(params([o.sum]), 4);
  const losses: number[] = [];
  for (const engine of Object.values(engines)) {
    if (!(await engine.probe()).available) continue;
    await using session = await engine.open(state);
    const { sum } = await session.run({ outputs: { ...o }, next: {} }, feeds(inputs, config));
    losses.push(sum!.data[0] as number);
  }
  // float32 against float64
  for (const loss of losses) expect(loss / losses[0]!).toBeCloseTo(1, 5);
});

const kindOf = ({ family, config }: Preset) => {
  if (family.name === "bart") return "bart";
  if (family.name === "t5") return `t5-1.${"activation" in config && config.activation === "geglu" ? 1 : 0}`;
  return String(family.toPublic(config)["model_type"]);
};

/** Names of the tensors in a small public checkpoint of a kind. */
async function namesIn(kind: string): Promise<string[]> {
  const url = (path: string) => new URL(`fixtures/${path}`, import.meta.url);
  if (/^(t5-|bart)/.test(kind)) return JSON.parse(readFileSync(url(`encoder-decoder/${kind}.json`), "utf8")).stateNames;
  await using file = await openSafetensors(fileURLToPath(url(`families/${kind}/model.safetensors`)));
  return [...file.tensors.keys()];
}

/** Names of the parameters in a public checkpoint, for any number of layers. */
async function publicNames(kind: string, layers: number): Promise<string[]> {
  return (await namesIn(kind)).flatMap((name) => {
    // a T5 block's first number, or the only one of others; its relative positions are in the first block alone
    const number = /\.(h|block|layers?)\.(\d+)\./.exec(name);
    if (!number || name.includes("relative_attention")) return [name];
    if (number[2] !== "0") return [];
    return Array.from({ length: layers }, (_, i) => name.replace(number[0], `.${number[1]}.${i}.`));
  });
}

test.each(presets.filter((preset) => !kindOf(preset).startsWith("plinth")))(
  "$name has the parameter names of the public checkpoint",
  async (preset) => {
    const { family, config } = preset;
    const own = parametersOf(family, config).map((t) => family.toPublicName(nameOf(t), config));
    const known = await publicNames(kindOf(preset), config.layers);
    expect(own.sort()).toEqual(known.filter((name) => family.fromPublicName(name, config)).sort());
  },
);

test("well-known models have their published numbers of parameters", () => {
  const count = (name: string) => {
    const { family, config } = presetNamed(name);
    return parameterCount(family, config);
  };
  expect(count("gpt2")).toBe(124_439_808);
  // 109,482,240 with a pooler of 590,592 and without the masked-LM head of 622,650 (Devlin et al. 2018: "110M")
  expect(count("bert-base")).toBe(109_482_240 - 590_592 + 622_650);
  // what transformers counts in google-t5/t5-small and -base, google/flan-t5-small and -base
  expect(count("t5-small")).toBe(60_506_624);
  expect(count("t5-base")).toBe(222_903_552);
  expect(count("flan-t5-small")).toBe(76_961_152);
  expect(count("flan-t5-base")).toBe(247_577_856);
  // with their masked-LM heads, as transformers counts them
  expect(count("roberta-base")).toBe(124_697_433);
  expect(count("distilbert")).toBe(66_985_530);
  expect(count("smollm2-135m")).toBe(134_515_008);
  expect(count("qwen3-0.6b")).toBe(596_049_920);
  expect(count("llama-3.2-1b")).toBe(1_235_814_400);
  // and in facebook/bart-base, whose buffer of zeros is not counted
  expect(count("bart-base")).toBe(139_420_416);
  expect(count("bert-tiny")).toBeLessThan(4e6);
});

test.each(presets)("$name round-trips through a checkpoint under its public names", async (preset) => {
  const { family } = preset;
  const config = small(preset);
  const state = initialise(parametersOf(family, config), 3);
  const folder = mkdtempSync(join(tmpdir(), "plinth-models-"));
  const path = join(folder, "model.safetensors");
  const stored = new Map([...state].map(([name, value]) => [family.toPublicName(name, config), value]));
  const types = new Map([...stored].map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
  await writeSafetensors(path, { types, value: (name) => stored.get(name)! });
  const config2: ModelSizes = family.fromPublic(JSON.parse(JSON.stringify(family.toPublic(config))));
  expect(config2).toEqual(config);
  await using file = await openSafetensors(path);
  for (const name of file.tensors.keys())
    expect(sameBits(await file.read(name), state.get(family.fromPublicName(name, config2)!)!), name).toBe(true);
  expect(file.tensors.size).toBe(state.size);
  rmSync(folder, { recursive: true });
});

const sameBits = (a: Nd, b: Nd): boolean =>
  a.dtype === b.dtype &&
  a.shape.join() === b.shape.join() &&
  Buffer.from(a.data.buffer, a.data.byteOffset, a.data.byteLength).equals(Buffer.from(b.data.buffer));

test("the graph of every preset is the one it was: a change here needs a reason", () => {
  const hashes = presets.map(({ name, family, config }) => {
    const { objective: o, outputs } = objective(family, config);
    const text = print({ outputs: { ...o, ...outputs }, next: {} });
    return `${name} ${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  });
  expect(hashes).toMatchInlineSnapshot(`
    [
      "gpt-0.3m db3200718d9c",
      "gpt-1m 91204f2bec03",
      "gpt-3m db75ec675b54",
      "gpt-12m de9d01b543fa",
      "gpt-34m c3a81daca439",
      "gpt2 cb54797e85d4",
      "modern-3m 71d831863b78",
      "llama-0.3m 40846a2193a8",
      "llama-3m 3634b3bd4985",
      "smollm2-135m 51f46c53d5b4",
      "qwen3-0.6b ce4988452ec0",
      "llama-3.2-1b ecc926c41340",
      "bert-1m b5bed96b17ad",
      "bert-tiny 2ce06f633533",
      "bert-4m ca0bdf25850f",
      "minilm c0fd7a8e901c",
      "bert-base a835db5e761f",
      "roberta-base 60c22903ff36",
      "distilbert a9ad084be1af",
      "t5-1m 2f7fe9b6396c",
      "t5-4m 31d92aa44e8e",
      "t5-small 3eca81289421",
      "t5-base 8b98569e8847",
      "flan-t5-small b0aafc1bccb5",
      "flan-t5-base 82dbd18b3d11",
      "bart-1m 021709556a6b",
      "bart-base e11d6c8a6914",
      "bart-large 96be8b6f51c2",
    ]
  `);
});

test("a size dial gives the parameters it was asked for, and says what it chose", () => {
  for (const family of Object.values(families) as AnyFamily[])
    for (const wanted of [3e5, 1e6, 5e6, 2e7, 1e8, 1e9]) {
      const config = family.derive({ size: wanted, vocabSize: 8192, contextLength: 256 });
      expect(Math.abs(parameterCount(family, config) / wanted - 1)).toBeLessThan(0.1);
    }
  const { gpt } = families;
  expect(describeModel(gpt, gpt.derive({ size: 3e6, vocabSize: 8192, contextLength: 256 }))).toMatchInlineSnapshot(`
    "parameters         2956992
    vocabSize          8192
    contextLength      256
    layers             3
    heads              6
    hiddenSize         192
    activation         gelu
    norm               layerNorm
    positions          learned
    rotaryBase         10000
    tied               true
    dropout            0
    attentionDropout   0
    epsilon            0.00001
    initialDeviation   0.02"
  `);
});
