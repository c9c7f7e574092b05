/** T5's public files: config.json and tensor names. */
import type { PublicConfig } from "./family.js";
import { optional, parsePublic, refuse } from "./public.js";
import type { T5Config, t5Config } from "./t5.js";

const activations = { relu: "relu", "gated-gelu": "geglu", "gated-gelu_new": "geglu" } as const;
const publicActivations = { relu: "relu", geglu: "gated-gelu" } as const;

/** Width of the MLP. */
export const innerSize = (c: Pick<T5Config, "intermediateSize" | "activation" | "hiddenSize">): number =>
  c.intermediateSize ?? (c.activation === "geglu" ? Math.ceil((8 * c.hiddenSize) / 96) * 32 : 4 * c.hiddenSize);

export const recognises = (json: PublicConfig): boolean => json["model_type"] === "t5" || json["model_type"] === "mt5";

export function configFromPublic(json: PublicConfig, schema: typeof t5Config): T5Config {
  refuse(json, "feed_forward_proj", [undefined, ...Object.keys(activations)]);
  refuse(json, "is_encoder_decoder", [undefined, true]);
  const [heads, hiddenSize] = [Number(json["num_heads"]), Number(json["d_model"])];
  const decoderLayers = json["num_decoder_layers"];
  const activation = activations[(json["feed_forward_proj"] ?? "relu") as keyof typeof activations];
  return parsePublic(schema, {
    vocabSize: json["vocab_size"],
    // no limit of the architecture: what the checkpoints were trained with, where the file does not say
    contextLength: json["n_positions"] ?? 512,
    layers: json["num_layers"],
    heads: json["num_heads"],
    hiddenSize: json["d_model"],
    // the next three are said only where they are not what follows from the others
    ...(decoderLayers !== json["num_layers"] && optional("decoderLayers", decoderLayers)),
    ...(json["d_kv"] !== hiddenSize / heads && optional("headSize", json["d_kv"])),
    ...(json["d_ff"] !== innerSize({ activation, hiddenSize }) && optional("intermediateSize", json["d_ff"])),
    activation,
    // transformers from version 5 says whether the head is the embedding only by whether its input is scaled
    tied: json["scale_decoder_outputs"] ?? json["tie_word_embeddings"] ?? json["model_type"] === "t5",
    ...optional("relativeBuckets", json["relative_attention_num_buckets"]),
    ...optional("relativeDistance", json["relative_attention_max_distance"]),
    ...optional("start", json["decoder_start_token_id"] ?? json["pad_token_id"]),
    ...optional("end", json["eos_token_id"]),
    dropout: json["dropout_rate"] ?? 0.1,
    ...optional("epsilon", json["layer_norm_epsilon"]),
    ...optional("initialDeviation", json["initializer_range"]),
  });
}

export const toPublic = (c: T5Config): PublicConfig => ({
  model_type: "t5",
  architectures: ["T5ForConditionalGeneration"],
  is_encoder_decoder: true,
  vocab_size: c.vocabSize,
  n_positions: c.contextLength,
  num_layers: c.layers,
  num_decoder_layers: c.decoderLayers ?? c.layers,
  num_heads: c.heads,
  d_model: c.hiddenSize,
  d_kv: c.headSize ?? c.hiddenSize / c.heads,
  d_ff: innerSize(c),
  feed_forward_proj: publicActivations[c.activation],
  tie_word_embeddings: c.tied,
  relative_attention_num_buckets: c.relativeBuckets,
  relative_attention_max_distance: c.relativeDistance,
  decoder_start_token_id: c.start,
  pad_token_id: c.start,
  eos_token_id: c.end,
  dropout_rate: c.dropout,
  layer_norm_epsilon: c.epsilon,
  initializer_range: c.initialDeviation,
});

const copies = /^(encoder|decoder)\.embed_tokens\.weight$/;
/** Copies of the embedding are not parameters, nor is the cross attention's table of early files, which nothing reads. */
export function fromPublicName(name: string, c: T5Config): string | undefined {
  if (copies.test(name) || /EncDecAttention\.relative_attention_bias/.test(name)) return undefined;
  return name === "lm_head.weight" && c.tied ? undefined : name;
}

export const toPublicName = (name: string): string => name;
