/** BART's public files: config.json and tensor names. */
import type { BartConfig, bartConfig } from "./bart.js";
import type { PublicConfig } from "./family.js";
import { optional, parsePublic, refuse } from "./public.js";

const activations = { gelu: "gelu", gelu_new: "geluTanh", gelu_pytorch_tanh: "geluTanh", relu: "relu" } as const;
const publicActivations = { gelu: "gelu", geluTanh: "gelu_new", relu: "relu" } as const;

export const recognises = (json: PublicConfig): boolean => json["model_type"] === "bart";

export function configFromPublic(json: PublicConfig, schema: typeof bartConfig): BartConfig {
  refuse(json, "activation_function", [undefined, ...Object.keys(activations)]);
  refuse(json, "tie_word_embeddings", [undefined, true]);
  // old files of other layouts
  refuse(json, "normalize_before", [undefined, false]);
  refuse(json, "normalize_embedding", [undefined, true]);
  refuse(json, "add_final_layer_norm", [undefined, false]);
  refuse(json, "static_position_embeddings", [undefined, false]);
  refuse(json, "decoder_attention_heads", [undefined, json["encoder_attention_heads"]]);
  refuse(json, "decoder_ffn_dim", [undefined, json["encoder_ffn_dim"]]);
  const [layers, decoderLayers] = [json["encoder_layers"], json["decoder_layers"]];
  return parsePublic(schema, {
    vocabSize: json["vocab_size"],
    contextLength: json["max_position_embeddings"],
    layers,
    heads: json["encoder_attention_heads"],
    hiddenSize: json["d_model"],
    // both said only where they are not what follows from the others
    ...(decoderLayers !== layers && optional("decoderLayers", decoderLayers)),
    ...(json["encoder_ffn_dim"] !== 4 * Number(json["d_model"]) &&
      optional("intermediateSize", json["encoder_ffn_dim"])),
    activation: activations[(json["activation_function"] ?? "gelu") as keyof typeof activations],
    ...optional("scaledEmbedding", json["scale_embedding"]),
    ...optional("start", json["decoder_start_token_id"]),
    ...optional("end", json["eos_token_id"]),
    ...optional("padding", json["pad_token_id"]),
    dropout: json["dropout"] ?? 0.1,
    attentionDropout: json["attention_dropout"] ?? 0,
    ...optional("initialDeviation", json["init_std"]),
  });
}

export function toPublic(c: BartConfig): PublicConfig {
  const inner = c.intermediateSize ?? 4 * c.hiddenSize;
  return {
    model_type: "bart",
    architectures: ["BartForConditionalGeneration"],
    is_encoder_decoder: true,
    vocab_size: c.vocabSize,
    max_position_embeddings: c.contextLength,
    d_model: c.hiddenSize,
    encoder_layers: c.layers,
    decoder_layers: c.decoderLayers ?? c.layers,
    encoder_attention_heads: c.heads,
    decoder_attention_heads: c.heads,
    encoder_ffn_dim: inner,
    decoder_ffn_dim: inner,
    activation_function: publicActivations[c.activation],
    scale_embedding: c.scaledEmbedding,
    tie_word_embeddings: true,
    decoder_start_token_id: c.start,
    forced_eos_token_id: c.end,
    eos_token_id: c.end,
    pad_token_id: c.padding,
    dropout: c.dropout,
    attention_dropout: c.attentionDropout,
    activation_dropout: 0,
    init_std: c.initialDeviation,
  };
}

/** Files of the bare model lack `model.`; copies of the embedding and the bias of zeros are not parameters. */
export function fromPublicName(name: string): string | undefined {
  if (/embed_tokens\.weight$|^lm_head\.weight$|^final_logits_bias$/.test(name)) return undefined;
  return /^(shared|encoder|decoder)\./.test(name) ? `model.${name}` : name;
}

export const toPublicName = (name: string): string => name;
