/** The public files of Llama, Mistral, Qwen and SmolLM3: config.json and tensor names. */
import type { PublicConfig } from "./family.js";
import type { LlamaConfig, llamaConfig } from "./llama.js";
import { optional, ownOptions, parsePublic, refuse, unsupported, variant } from "./public.js";
import { rotaryFromPublic, rotaryToPublic } from "./rotary-scaling.js";

/** What a model_type means where its config.json leaves a key out, and where it says nothing about it. */
interface Kind {
  readonly architecture: string;
  readonly base: number;
  readonly tied: boolean;
  readonly keyValueHeads?: number;
  readonly headSize?: number;
  readonly window?: number;
  readonly queryKeyNorm?: true;
  /** Biases of queries, keys and values only, whatever the file says. */
  readonly inputBias?: true;
  readonly unplacedEvery?: number;
}

const kinds: Readonly<Record<string, Kind>> = {
  llama: { architecture: "LlamaForCausalLM", base: 10_000, tied: false },
  mistral: { architecture: "MistralForCausalLM", base: 10_000, tied: false, keyValueHeads: 8, window: 4096 },
  qwen2: { architecture: "Qwen2ForCausalLM", base: 10_000, tied: false, keyValueHeads: 32, inputBias: true },
  qwen3: {
    ...{ architecture: "Qwen3ForCausalLM", base: 10_000, tied: false, keyValueHeads: 32 },
    ...{ headSize: 128, queryKeyNorm: true },
  },
  smollm3: { architecture: "SmolLM3ForCausalLM", base: 2e6, tied: true, keyValueHeads: 4, unplacedEvery: 4 },
  "plinth-llama": { architecture: "PlinthLlama", base: 10_000, tied: false },
};
/** What no one public layout can say together: a file that does carries a model_type of its own. */
const own = ["queryKeyNorm", "attentionBias", "unplacedEvery", "window", "windowFrom"] as const;

export const recognises = (json: PublicConfig): boolean => Object.hasOwn(kinds, String(json["model_type"]));

export function configFromPublic(json: PublicConfig, schema: typeof llamaConfig): LlamaConfig {
  const kind = kinds[String(json["model_type"])]!;
  refuse(json, "hidden_act", [undefined, "silu", "swish"]);
  // a file with the key but without a number means as many as there are heads
  const shared = "num_key_value_heads" in json ? json["num_key_value_heads"] : kind.keyValueHeads;
  const { base, scaling } = rotaryFromPublic(json, kind);
  return parsePublic(schema, {
    vocabSize: json["vocab_size"],
    contextLength: json["max_position_embeddings"],
    layers: json["num_hidden_layers"],
    heads: json["num_attention_heads"],
    hiddenSize: json["hidden_size"],
    ...unlessUsual("keyValueHeads", shared, json["num_attention_heads"]),
    ...unlessUsual(
      "headSize",
      json["head_dim"] ?? kind.headSize,
      Number(json["hidden_size"]) / Number(json["num_attention_heads"]),
    ),
    ...unlessUsual("intermediateSize", json["intermediate_size"], innerSize(Number(json["hidden_size"]))),
    rotaryBase: base,
    ...optional("rotaryScaling", scaling),
    ...unplaced(json, kind),
    ...windowed(json, kind),
    queryKeyNorm: kind.queryKeyNorm ?? false,
    attentionBias: kind.inputBias ? "inputs" : json["attention_bias"] ? "all" : "none",
    mlpBias: json["mlp_bias"] ?? false,
    tied: json["tie_word_embeddings"] ?? kind.tied,
    attentionDropout: json["attention_dropout"] ?? 0,
    epsilon: json["rms_norm_eps"] ?? 1e-6,
    ...optional("initialDeviation", json["initializer_range"]),
    ...ownOptions(json, own),
  });
}

/** An option said only where it is not what follows from the others. */
const unlessUsual = (name: string, value: unknown, usual: unknown): Readonly<Record<string, unknown>> =>
  value === usual ? {} : optional(name, value);

/** The layers without positions: every so many, as `no_rope_layer_interval` or the list of all layers says. */
function unplaced(json: PublicConfig, kind: Kind): Readonly<Record<string, unknown>> {
  if (!kind.unplacedEvery) return {};
  refuse(json, "use_sliding_window", [undefined, false]);
  const placed = layerList(json, "no_rope_layers");
  if (!placed) return { unplacedEvery: json["no_rope_layer_interval"] ?? kind.unplacedEvery };
  const every = placed.findIndex((one) => !one) + 1;
  if (every && placed.some((one, i) => Boolean(one) === ((i + 1) % every === 0)))
    throw unsupported("no_rope_layers", placed, "each so many layers one that has no positions");
  return every ? { unplacedEvery: every } : {};
}

/** Which layers see a window only: all (Mistral), those from one on (Qwen), or none. */
function windowed(json: PublicConfig, kind: Kind): Readonly<Record<string, unknown>> {
  if (kind.window) return optional("window", "sliding_window" in json ? json["sliding_window"] : kind.window);
  if (!(kind.queryKeyNorm || kind.inputBias) || !json["use_sliding_window"]) return {};
  const types = layerList(json, "layer_types");
  const from = types ? types.indexOf("sliding_attention") : (json["max_window_layers"] ?? 28);
  if (types?.some((type, i) => type !== (from === -1 || i < Number(from) ? "full_attention" : "sliding_attention")))
    throw unsupported("layer_types", types, "layers of full_attention, then layers of sliding_attention");
  if (from === -1 || Number(from) >= Number(json["num_hidden_layers"])) return {};
  return { window: json["sliding_window"] ?? 4096, windowFrom: from };
}

/** What a list says of each layer, where there is one. */
function layerList(json: PublicConfig, key: string): unknown[] | undefined {
  const list = json[key] ?? undefined;
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) throw unsupported(key, list, "a list of what each layer is");
  return list.slice(0, Number(json["num_hidden_layers"]));
}

/** The public model_type whose layout can say all that a config says; `plinth-llama` where none can. */
function kindOf(c: LlamaConfig): string {
  const { queryKeyNorm, attentionBias: bias, mlpBias, unplacedEvery, window, windowFrom } = c;
  if (queryKeyNorm) return bias === "inputs" || mlpBias || unplacedEvery ? "plinth-llama" : "qwen3";
  if (unplacedEvery) return bias === "inputs" || window || c.headSize ? "plinth-llama" : "smollm3";
  if (bias === "inputs") return mlpBias ? "plinth-llama" : "qwen2";
  if (window) return windowFrom || bias !== "none" || mlpBias ? "plinth-llama" : "mistral";
  return "llama";
}

export function toPublic(c: LlamaConfig): PublicConfig {
  const type = kindOf(c);
  return {
    model_type: type,
    architectures: [kinds[type]!.architecture],
    vocab_size: c.vocabSize,
    max_position_embeddings: c.contextLength,
    num_hidden_layers: c.layers,
    num_attention_heads: c.heads,
    num_key_value_heads: c.keyValueHeads ?? c.heads,
    hidden_size: c.hiddenSize,
    head_dim: c.headSize ?? c.hiddenSize / c.heads,
    intermediate_size: c.intermediateSize ?? innerSize(c.hiddenSize),
    hidden_act: "silu",
    ...rotaryToPublic(c.rotaryBase, c.rotaryScaling),
    attention_bias: c.attentionBias !== "none",
    mlp_bias: c.mlpBias,
    ...windowToPublic(type, c),
    ...(type === "smollm3" && { no_rope_layer_interval: c.unplacedEvery }),
    // transformers takes SmolLM3's own padding where none is said, and fails where the vocabulary does not reach it
    ...(type === "smollm3" && c.vocabSize <= 128_004 && { pad_token_id: null }),
    tie_word_embeddings: c.tied,
    attention_dropout: c.attentionDropout,
    rms_norm_eps: c.epsilon,
    initializer_range: c.initialDeviation,
    ...(type === "plinth-llama" && { [variant]: Object.fromEntries(own.map((name) => [name, c[name]])) }),
  };
}

function windowToPublic(type: string, c: LlamaConfig): PublicConfig {
  if (type === "mistral") return { sliding_window: c.window };
  if (type !== "qwen2" && type !== "qwen3") return {};
  return {
    use_sliding_window: c.window !== undefined,
    sliding_window: c.window ?? null,
    max_window_layers: c.window ? c.windowFrom : c.layers,
  };
}

/** Width of the MLP where none is said: two thirds of four times the width, in steps of 32. */
export const innerSize = (hiddenSize: number): number => Math.ceil((8 * hiddenSize) / 96) * 32;

/** Decoders are published with the output layer or bare; the angles of rotary positions and a tied output layer are not parameters. */
export function fromPublicName(name: string, c: LlamaConfig): string | undefined {
  if (/rotary_emb\.inv_freq$/.test(name) || (name === "lm_head.weight" && c.tied)) return undefined;
  return /^(embed_tokens|layers|norm)\./.test(name) ? `model.${name}` : name;
}

export const toPublicName = (name: string): string => name;
