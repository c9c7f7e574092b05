/** BERT's public files: config.json and tensor names. */
import type { BertConfig, bertConfig } from "./bert.js";
import type { PublicConfig } from "./family.js";
import { optional, parsePublic, refuse } from "./public.js";

const activations = { gelu: "gelu", gelu_new: "geluTanh", gelu_pytorch_tanh: "geluTanh", relu: "relu" } as const;
const publicActivations = { gelu: "gelu", geluTanh: "gelu_new", relu: "relu" } as const;

export const recognises = (json: PublicConfig): boolean => json["model_type"] === "bert";

export function configFromPublic(json: PublicConfig, schema: typeof bertConfig): BertConfig {
  refuse(json, "hidden_act", [undefined, ...Object.keys(activations)]);
  refuse(json, "position_embedding_type", [undefined, "absolute"]);
  refuse(json, "is_decoder", [undefined, false]);
  return parsePublic(schema, {
    vocabSize: json["vocab_size"],
    contextLength: json["max_position_embeddings"],
    layers: json["num_hidden_layers"],
    heads: json["num_attention_heads"],
    hiddenSize: json["hidden_size"],
    // said only where it is not what follows from the width
    ...(json["intermediate_size"] !== 4 * Number(json["hidden_size"]) &&
      optional("intermediateSize", json["intermediate_size"])),
    activation: activations[(json["hidden_act"] ?? "gelu") as keyof typeof activations],
    ...optional("tokenTypes", json["type_vocab_size"]),
    dropout: json["hidden_dropout_prob"] ?? 0.1,
    attentionDropout: json["attention_probs_dropout_prob"] ?? 0.1,
    ...optional("epsilon", json["layer_norm_eps"]),
    ...optional("initialDeviation", json["initializer_range"]),
  });
}

export const toPublic = (c: BertConfig): PublicConfig => ({
  model_type: "bert",
  architectures: ["BertForMaskedLM"],
  vocab_size: c.vocabSize,
  max_position_embeddings: c.contextLength,
  num_hidden_layers: c.layers,
  num_attention_heads: c.heads,
  hidden_size: c.hiddenSize,
  intermediate_size: c.intermediateSize ?? 4 * c.hiddenSize,
  hidden_act: publicActivations[c.activation],
  type_vocab_size: c.tokenTypes,
  position_embedding_type: "absolute",
  hidden_dropout_prob: c.dropout,
  attention_probs_dropout_prob: c.attentionDropout,
  layer_norm_eps: c.epsilon,
  initializer_range: c.initialDeviation,
  tie_word_embeddings: true,
});

const bodyParts = /^(embeddings|encoder|pooler)\./;
/** Encoders are published bare or under `bert.`, old files say gamma and beta; buffers, the tied decoder and the next-sentence head are not parameters. */
export function fromPublicName(name: string): string | undefined {
  if (/position_ids$|^cls\.predictions\.decoder\.|^cls\.seq_relationship\./.test(name)) return undefined;
  const modern = name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias");
  return bodyParts.test(modern) ? `bert.${modern}` : modern;
}

export const toPublicName = (name: string): string => name;
