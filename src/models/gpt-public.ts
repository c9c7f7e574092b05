/** GPT and GPT-2's public files: config.json and tensor names. */
import type { PublicConfig } from "./family.js";
import type { GptConfig, gptConfig } from "./gpt.js";
import { optional, ownOptions, parsePublic, refuse, variant } from "./public.js";

const tanhGelu = ["gelu_new", "gelu_pytorch_tanh", "gelu_fast"];
/** What GPT-2's layout cannot say: a file that says it carries a model_type of its own. */
const own = ["activation", "norm", "positions", "rotaryBase"] as const;

export const recognises = (json: PublicConfig): boolean =>
  json["model_type"] === "gpt2" || json["model_type"] === "plinth-gpt";

export function configFromPublic(json: PublicConfig, schema: typeof gptConfig): GptConfig {
  refuse(json, "activation_function", [undefined, ...tanhGelu]);
  refuse(json, "scale_attn_weights", [undefined, true]);
  refuse(json, "scale_attn_by_inverse_layer_idx", [undefined, false]);
  refuse(json, "add_cross_attention", [undefined, false]);
  return parsePublic(schema, {
    vocabSize: json["vocab_size"],
    contextLength: json["n_positions"] ?? json["n_ctx"],
    layers: json["n_layer"],
    heads: json["n_head"],
    hiddenSize: json["n_embd"],
    ...optional("intermediateSize", json["n_inner"]),
    tied: json["tie_word_embeddings"] ?? true,
    dropout: json["resid_pdrop"] ?? 0.1,
    attentionDropout: json["attn_pdrop"] ?? 0.1,
    ...optional("epsilon", json["layer_norm_epsilon"]),
    ...optional("initialDeviation", json["initializer_range"]),
    ...ownOptions(json, own),
  });
}

export function toPublic(c: GptConfig): PublicConfig {
  const differs = c.activation !== "gelu" || c.norm !== "layerNorm" || c.positions !== "learned";
  return {
    model_type: differs ? "plinth-gpt" : "gpt2",
    architectures: [differs ? "PlinthGpt" : "GPT2LMHeadModel"],
    vocab_size: c.vocabSize,
    n_positions: c.contextLength,
    n_ctx: c.contextLength,
    n_layer: c.layers,
    n_head: c.heads,
    n_embd: c.hiddenSize,
    n_inner: c.intermediateSize ?? null,
    activation_function: "gelu_new",
    tie_word_embeddings: c.tied,
    resid_pdrop: c.dropout,
    embd_pdrop: c.dropout,
    attn_pdrop: c.attentionDropout,
    layer_norm_epsilon: c.epsilon,
    initializer_range: c.initialDeviation,
    ...(differs && { [variant]: Object.fromEntries(own.map((name) => [name, c[name]])) }),
  };
}

/** Public files carry the names bare or under `transformer.`; causal masks and the tied output layer are not parameters. */
export function fromPublicName(name: string, c: GptConfig): string | undefined {
  const bare = name.replace(/^transformer\./, "");
  if (/\.attn\.(bias|masked_bias)$/.test(bare)) return undefined;
  return bare === "lm_head.weight" && c.tied ? undefined : bare;
}

/** `transformer.` before all but the output layer: read by GPT2Model and GPT2LMHeadModel alike. */
export const toPublicName = (name: string): string => (name.startsWith("lm_head.") ? name : `transformer.${name}`);
