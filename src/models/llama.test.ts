import { expect, test } from "vitest";
import { evaluate, exact, i32, input, nameOf, nd, params, print, Scope } from "../ir/index.js";
import { initialise } from "../nn/index.js";
import { describe, families, familyOf, parameterCount, parametersOf } from "./index.js";

const { llama } = families;
const tiny = { vocabSize: 7, contextLength: 16, layers: 4, heads: 2, hiddenSize: 8 };
const parse = (more: object) => llama.config.parse({ ...tiny, ...more });
const json = { ...llama.toPublic(parse({})), rope_theta: undefined, rope_scaling: undefined };

const published = {
  "Llama 2 7B": {
    ...{
      model_type: "llama",
      vocab_size: 32_000,
      max_position_embeddings: 4096,
      hidden_act: "silu",
      hidden_size: 4096,
    },
    ...{ intermediate_size: 11_008, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32 },
    ...{ rms_norm_eps: 1e-5, rope_scaling: null, pretraining_tp: 1, tie_word_embeddings: false },
  },
  "Llama 3.1 8B": {
    ...{ model_type: "llama", vocab_size: 128_256, max_position_embeddings: 131_072, hidden_act: "silu" },
    ...{ hidden_size: 4096, intermediate_size: 14_336, num_attention_heads: 32, num_hidden_layers: 32 },
    ...{ num_key_value_heads: 8, rms_norm_eps: 1e-5, rope_theta: 500_000, tie_word_embeddings: false },
    ...{ attention_bias: false, mlp_bias: false, attention_dropout: 0 },
    rope_scaling: {
      ...{ factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      ...{ original_max_position_embeddings: 8192, rope_type: "llama3" },
    },
  },
  "TinyLlama 1.1B": {
    ...{
      model_type: "llama",
      vocab_size: 32_000,
      max_position_embeddings: 2048,
      hidden_act: "silu",
      hidden_size: 2048,
    },
    ...{ intermediate_size: 5632, num_attention_heads: 32, num_hidden_layers: 22, num_key_value_heads: 4 },
    ...{ rms_norm_eps: 1e-5, rope_scaling: null, tie_word_embeddings: false },
  },
  "SmolLM 135M": {
    ...{ model_type: "llama", vocab_size: 49_152, max_position_embeddings: 2048, hidden_act: "silu", hidden_size: 576 },
    ...{ intermediate_size: 1536, num_attention_heads: 9, num_hidden_layers: 30, num_key_value_heads: 3 },
    ...{ rms_norm_eps: 1e-5, rope_theta: 10_000, rope_scaling: null, tie_word_embeddings: true },
  },
  "SmolLM3 3B": {
    ...{ model_type: "smollm3", vocab_size: 128_256, max_position_embeddings: 65_536, hidden_act: "silu" },
    ...{ hidden_size: 2048, intermediate_size: 11_008, num_attention_heads: 16, num_hidden_layers: 36 },
    ...{ num_key_value_heads: 4, rms_norm_eps: 1e-6, rope_theta: 5e6, rope_scaling: null, use_sliding_window: false },
    ...{ no_rope_layer_interval: 4, no_rope_layers: Array.from({ length: 36 }, (_, i) => ((i + 1) % 4 ? 1 : 0)) },
  },
  "Mistral 7B v0.1": {
    ...{ model_type: "mistral", vocab_size: 32_000, max_position_embeddings: 32_768, hidden_act: "silu" },
    ...{ hidden_size: 4096, intermediate_size: 14_336, num_attention_heads: 32, num_hidden_layers: 32 },
    ...{ num_key_value_heads: 8, rms_norm_eps: 1e-5, rope_theta: 10_000, sliding_window: 4096 },
    tie_word_embeddings: false,
  },
  "Qwen2.5 0.5B": {
    ...{ model_type: "qwen2", vocab_size: 151_936, max_position_embeddings: 32_768, hidden_act: "silu" },
    ...{ hidden_size: 896, intermediate_size: 4864, num_attention_heads: 14, num_hidden_layers: 24 },
    ...{ num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1e6, sliding_window: 32_768 },
    ...{ max_window_layers: 24, use_sliding_window: false, tie_word_embeddings: true },
  },
  "Qwen3 8B": {
    ...{ model_type: "qwen3", vocab_size: 151_936, max_position_embeddings: 40_960, hidden_act: "silu" },
    ...{ hidden_size: 4096, intermediate_size: 12_288, num_attention_heads: 32, num_hidden_layers: 36, head_dim: 128 },
    ...{ num_key_value_heads: 8, rms_norm_eps: 1e-6, rope_theta: 1e6, rope_scaling: null, sliding_window: null },
    ...{ max_window_layers: 36, use_sliding_window: false, attention_bias: false, tie_word_embeddings: false },
  },
};

test("published configs load, with the numbers of parameters their authors state", () => {
  const counts = Object.entries(published).map(([name, public_]) => {
    expect(familyOf(public_)).toBe(llama);
    const config = llama.fromPublic(public_);
    const written = llama.toPublic(config);
    expect(written["model_type"]).toBe(public_.model_type);
    expect(llama.fromPublic(written)).toEqual(config);
    return `${name}: ${parameterCount(llama, config)}`;
  });
  expect(counts).toMatchInlineSnapshot(`
    [
      "Llama 2 7B: 6738415616",
      "Llama 3.1 8B: 8030261248",
      "TinyLlama 1.1B: 1100048384",
      "SmolLM 135M: 134515008",
      "SmolLM3 3B: 3075098624",
      "Mistral 7B v0.1: 7241732096",
      "Qwen2.5 0.5B: 494032768",
      "Qwen3 8B: 8190735360",
    ]
  `);
});

test("rotary scaling reads alike from the keys of transformers 4 and 5", () => {
  const scaling = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 8, beta_fast: 16, truncate: false };
  const old = llama.fromPublic({ ...json, rope_theta: 500, rope_scaling: { ...scaling, type: "yarn" } });
  expect(llama.fromPublic({ ...json, rope_parameters: { ...scaling, rope_theta: 500 } })).toEqual(old);
  expect(old.rotaryBase).toBe(500);
  expect(old.rotaryScaling).toMatchInlineSnapshot(`
    {
      "betaFast": 16,
      "betaSlow": 1,
      "factor": 4,
      "kind": "yarn",
      "originalContextLength": 8,
      "truncate": false,
    }
  `);
  expect(llama.fromPublic(llama.toPublic(old))).toEqual(old);
  // DeepSeek's way of saying the attention factor, and transformers' way of leaving out the factor and the first context
  const deep = { type: "yarn", original_max_position_embeddings: 4, mscale: 1, mscale_all_dim: 0.5 };
  const { rotaryScaling } = llama.fromPublic({ ...json, rope_scaling: deep });
  expect(rotaryScaling).toMatchObject({
    factor: 4,
    attentionFactor: (0.1 * Math.log(4) + 1) / (0.05 * Math.log(4) + 1),
  });
  const llama3 = llama.fromPublic({ ...json, rope_scaling: { rope_type: "llama3", factor: 8 } });
  expect(llama3.rotaryScaling).toMatchObject({ originalContextLength: 16, lowFrequencyFactor: 1 });
});

test("a config is written as the model_type that can say it, and as plinth's own where none can", () => {
  const kinds = [
    {},
    { attentionBias: "all", mlpBias: true, headSize: 6 },
    { window: 3 },
    { attentionBias: "inputs", window: 3, windowFrom: 2 },
    { queryKeyNorm: true, attentionBias: "all", headSize: 6, window: 3, windowFrom: 1 },
    { unplacedEvery: 2, mlpBias: true },
    { window: 3, windowFrom: 1 },
    { queryKeyNorm: true, mlpBias: true },
    { unplacedEvery: 2, window: 3 },
    { attentionBias: "inputs", mlpBias: true },
  ].map((more) => {
    const config = parse(more);
    const written = llama.toPublic(config);
    expect(llama.recognises(written)).toBe(true);
    expect(llama.fromPublic(JSON.parse(JSON.stringify(written)))).toEqual(config);
    return written["model_type"];
  });
  expect(kinds).toEqual([
    ...["llama", "llama", "mistral", "qwen2", "qwen3", "smollm3"],
    ...["plinth-llama", "plinth-llama", "plinth-llama", "plinth-llama"],
  ]);
});

test("a config is shown with the scaling of its positions", () => {
  expect(describe(llama, llama.presets["llama-3.2-1b"])).toContain(
    'rotaryScaling      {"kind":"llama3","factor":32,"originalContextLength":8192',
  );
});

test("a file that leaves keys out means what transformers takes for granted", () => {
  const { num_key_value_heads: _, head_dim: __, tie_word_embeddings: ___, ...less } = json as Record<string, unknown>;
  const bare = { ...less, num_attention_heads: 32, hidden_size: 64 };
  const read = (model_type: string, more: object = {}) => llama.fromPublic({ ...bare, model_type, ...more });
  expect(read("llama")).toMatchObject({ rotaryBase: 10_000, tied: false });
  expect(read("llama").keyValueHeads).toBeUndefined();
  expect(read("mistral")).toMatchObject({ keyValueHeads: 8, window: 4096 });
  expect(read("mistral", { sliding_window: null }).window).toBeUndefined();
  expect(read("qwen3")).toMatchObject({ headSize: 128, queryKeyNorm: true });
  expect(read("qwen2", { use_sliding_window: true, max_window_layers: 4 }).window).toBeUndefined();
  expect(read("smollm3")).toMatchObject({ rotaryBase: 2e6, tied: true, unplacedEvery: 4, keyValueHeads: 4 });
  expect(read("smollm3", { no_rope_layers: [1, 1, 1, 1] }).unplacedEvery).toBeUndefined();
});

test("what a config asks for and this family does not have is refused", () => {
  const refusal = (more: object) => {
    try {
      llama.fromPublic({ ...json, ...more });
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error("nothing was refused");
  };
  const refusals = [
    { hidden_act: "gelu" },
    { rope_scaling: { rope_type: "longrope" } },
    { rope_scaling: "linear" },
    { rope_scaling: { rope_type: "linear" } },
    { rope_scaling: { rope_type: "llama3", factor: 2, low_freq_factor: 4, high_freq_factor: 1 } },
    { rope_parameters: { full_attention: { rope_type: "default" } } },
    { partial_rotary_factor: 0.5 },
    { model_type: "smollm3", no_rope_layers: 4 },
    { plinth: "x" },
    {
      model_type: "qwen2",
      use_sliding_window: true,
      layer_types: ["sliding_attention", ...Array(3).fill("full_attention")],
    },
    { model_type: "smollm3", no_rope_layers: [0, 1, 1, 0] },
    { num_key_value_heads: 3, num_attention_heads: 4 },
    { head_dim: 3 },
  ].map(refusal);
  expect(refusals.join("\n")).toMatchInlineSnapshot(`
    "config.json: hidden_act "gelu" is not supported
      help: supported: "silu", "swish"
    config.json: rope_type "longrope" is not supported
      help: supported: "default", "linear", "dynamic", "llama3", "yarn"
    config.json: rope_scaling "linear" is not supported
      help: supported: an object
    config.json does not describe this model: ✖ Invalid input: expected number, received undefined
      → at rotaryScaling.factor
    config.json does not describe this model: ✖ highFrequencyFactor must be above lowFrequencyFactor
      → at rotaryScaling.highFrequencyFactor
    config.json: rope_parameters.full_attention {"rope_type":"default"} is not supported
      help: supported: one rotation for all layers
    config.json: partial_rotary_factor 0.5 is not supported
      help: supported: 1
    config.json: no_rope_layers 4 is not supported
      help: supported: a list of what each layer is
    config.json: plinth "x" is not supported
      help: supported: an object
    config.json: layer_types ["sliding_attention","full_attention","full_attention","full_attention"] is not supported
      help: supported: layers of full_attention, then layers of sliding_attention
    config.json: no_rope_layers [0,1,1,0] is not supported
      help: supported: each so many layers one that has no positions
    config.json does not describe this model: ✖ heads must be a multiple of keyValueHeads
      → at keyValueHeads
    config.json does not describe this model: ✖ rotary positions need heads of an even width
      → at headSize"
  `);
});

test("names are read with the output layer or bare, and angles and a tied output layer are no parameters", () => {
  const [free, tied] = [parse({}), parse({ tied: true })];
  const name = "model.layers.0.self_attn.q_proj.weight";
  expect(llama.fromPublicName(name, free)).toBe(name);
  expect(llama.fromPublicName("layers.0.self_attn.q_proj.weight", free)).toBe(name);
  expect(llama.fromPublicName("norm.weight", free)).toBe("model.norm.weight");
  expect(llama.fromPublicName("lm_head.weight", free)).toBe("lm_head.weight");
  expect(llama.fromPublicName("lm_head.weight", tied)).toBeUndefined();
  expect(llama.fromPublicName("model.layers.0.self_attn.rotary_emb.inv_freq", free)).toBeUndefined();
});

test("weight decay spares the norms of queries and keys, and every bias", () => {
  const all = parametersOf(llama, parse({ queryKeyNorm: true, attentionBias: "all", mlpBias: true }));
  expect(all.filter((t) => llama.decays(nameOf(t)) !== t.shape.length > 1)).toEqual([]);
  expect(all.map(nameOf)).toContain("model.layers.0.self_attn.q_norm.weight");
});

/** The last token's hidden state, with the first token in question changed. */
function last(config: ReturnType<typeof parse>, first: number) {
  const hidden = llama.body(new Scope(), { ids: input("ids", i32([1, 8])) }, config);
  const ids = nd("i32", [1, 8], [first, 1, 2, 3, 4, 5, 6, 0]);
  const fed = new Map([...initialise(params([hidden]), 1), ["ids", ids] as const].map(([n, v]) => [n, exact(v)]));
  return evaluate([hidden], fed)[0]!.data.slice(-8);
}

test("a window hides what lies before it, through as many layers as it is deep", () => {
  const seen = (more: object) => {
    const config = parse({ initialDeviation: 0.5, ...more });
    return last(config, 1).some((value, i) => Math.abs(value - last(config, 2)[i]!) > 1e-12);
  };
  expect(seen({})).toBe(true);
  // four layers of three tokens reach 1 + 4 · 2 back, three with a window and none without reach 1 + 3 · 2
  expect(seen({ window: 3 })).toBe(true);
  expect(seen({ window: 3, layers: 3 })).toBe(false);
  expect(seen({ window: 3, layers: 3, windowFrom: 1 })).toBe(true);
});

test("layers without positions turn neither queries nor keys", () => {
  const text = (more: object) => {
    const hidden = llama.body(new Scope(), { ids: input("ids", i32([1, 4])) }, parse(more));
    return print({ outputs: { hidden }, next: {} });
  };
  const count = (all: string, word: string) => all.split(` ${word}(`).length - 1;
  expect(count(text({}), "rotary")).toBe(8);
  expect(count(text({ unplacedEvery: 2 }), "rotary")).toBe(4);
});
