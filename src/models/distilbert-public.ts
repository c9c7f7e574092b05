/** DistilBERT's public files (Sanh et al. 2019): BERT's graph without token types, under other names. */
import type { BertConfig } from "./bert.js";
import type { PublicConfig } from "./family.js";
import { optional } from "./public.js";

/** The options a config.json describes, but for the activation. */
export const distilbertFromPublic = (json: PublicConfig): Record<string, unknown> => ({
  layout: "distilbert",
  vocabSize: json["vocab_size"],
  contextLength: json["max_position_embeddings"],
  layers: json["n_layers"],
  heads: json["n_heads"],
  hiddenSize: json["dim"],
  // said only where it is not what follows from the width
  ...(json["hidden_dim"] !== 4 * Number(json["dim"]) && optional("intermediateSize", json["hidden_dim"])),
  tokenTypes: 0,
  dropout: json["dropout"] ?? 0.1,
  attentionDropout: json["attention_dropout"] ?? 0.1,
  ...optional("initialDeviation", json["initializer_range"]),
});

/** What `distilbertFromPublic` reads. */
export const distilbertToPublic = (c: BertConfig): PublicConfig => ({
  vocab_size: c.vocabSize,
  max_position_embeddings: c.contextLength,
  n_layers: c.layers,
  n_heads: c.heads,
  dim: c.hiddenSize,
  hidden_dim: c.intermediateSize ?? 4 * c.hiddenSize,
  sinusoidal_pos_embds: false,
  dropout: c.dropout,
  attention_dropout: c.attentionDropout,
  initializer_range: c.initialDeviation,
});

/** Parts of names: in the graph, and in the files. Those that hold others stand first. */
export const distilbertParts = [
  ["attention.self.query", "attention.q_lin"],
  ["attention.self.key", "attention.k_lin"],
  ["attention.self.value", "attention.v_lin"],
  ["attention.output.dense", "attention.out_lin"],
  ["attention.output.LayerNorm", "sa_layer_norm"],
  ["intermediate.dense", "ffn.lin1"],
  ["output.dense", "ffn.lin2"],
  ["output.LayerNorm", "output_layer_norm"],
  ["bert.encoder", "distilbert.transformer"],
  ["bert.embeddings", "distilbert.embeddings"],
  ["cls.predictions.transform.dense", "vocab_transform"],
  ["cls.predictions.transform.LayerNorm", "vocab_layer_norm"],
  ["cls.predictions.bias", "vocab_projector.bias"],
] as const;
