/** The public files of BERT and RoBERTa, and which layout a file has: config.json and tensor names. */
import type { BertConfig, bertConfig } from "./bert.js";
import { distilbertFromPublic, distilbertParts, distilbertToPublic } from "./distilbert-public.js";
import type { PublicConfig } from "./family.js";
import { optional, parsePublic, refuse, renameParts } from "./public.js";

/** The model_types whose files this family reads and writes. */
export const layouts = ["bert", "roberta", "xlm-roberta", "distilbert"] as const;
type Layout = (typeof layouts)[number];

const activations = { gelu: "gelu", gelu_new: "geluTanh", gelu_pytorch_tanh: "geluTanh", relu: "relu" } as const;
const publicActivations = { gelu: "gelu", geluTanh: "gelu_new", relu: "relu" } as const;

export const recognises = (json: PublicConfig): boolean => (layouts as readonly unknown[]).includes(json["model_type"]);

/** Rows of the position table before the first token's: RoBERTa counts from behind the padding's id, 1 unless said otherwise. */
export const positionOffset = (c: { readonly layout: Layout; readonly positionOffset?: number | undefined }): number =>
  c.layout === "bert" || c.layout === "distilbert" ? 0 : (c.positionOffset ?? 2);

export function configFromPublic(json: PublicConfig, schema: typeof bertConfig): BertConfig {
  const distil = json["model_type"] === "distilbert";
  const key = distil ? "activation" : "hidden_act";
  refuse(json, key, [undefined, ...Object.keys(activations)]);
  refuse(json, "tie_word_embeddings", [undefined, true]);
  const activation = activations[(json[key] ?? "gelu") as keyof typeof activations];
  return parsePublic(schema, { activation, ...(distil ? distilbertFromPublic(json) : bertFromPublic(json)) });
}

function bertFromPublic(json: PublicConfig): Record<string, unknown> {
  refuse(json, "position_embedding_type", [undefined, "absolute"]);
  refuse(json, "is_decoder", [undefined, false]);
  const layout = json["model_type"] as Layout;
  const positions = json["max_position_embeddings"];
  const offset = layout === "bert" ? 0 : Number(json["pad_token_id"] ?? 1) + 1;
  return {
    layout,
    vocabSize: json["vocab_size"],
    contextLength: offset && typeof positions === "number" ? positions - offset : positions,
    ...(offset && offset !== 2 && { positionOffset: offset }),
    layers: json["num_hidden_layers"],
    heads: json["num_attention_heads"],
    hiddenSize: json["hidden_size"],
    // said only where it is not what follows from the width
    ...(json["intermediate_size"] !== 4 * Number(json["hidden_size"]) &&
      optional("intermediateSize", json["intermediate_size"])),
    ...optional("tokenTypes", json["type_vocab_size"]),
    dropout: json["hidden_dropout_prob"] ?? 0.1,
    attentionDropout: json["attention_probs_dropout_prob"] ?? 0.1,
    ...optional("epsilon", json["layer_norm_eps"]),
    ...optional("initialDeviation", json["initializer_range"]),
  };
}

const architectures = { bert: "Bert", roberta: "Roberta", "xlm-roberta": "XLMRoberta", distilbert: "DistilBert" };

export function toPublic(c: BertConfig): PublicConfig {
  const offset = positionOffset(c);
  const kind = { model_type: c.layout, architectures: [`${architectures[c.layout]}ForMaskedLM`] };
  const activation = publicActivations[c.activation];
  if (c.layout === "distilbert") return { ...kind, activation, ...distilbertToPublic(c), tie_word_embeddings: true };
  return {
    ...kind,
    vocab_size: c.vocabSize,
    max_position_embeddings: offset + c.contextLength,
    num_hidden_layers: c.layers,
    num_attention_heads: c.heads,
    hidden_size: c.hiddenSize,
    intermediate_size: c.intermediateSize ?? 4 * c.hiddenSize,
    hidden_act: activation,
    type_vocab_size: c.tokenTypes,
    position_embedding_type: "absolute",
    hidden_dropout_prob: c.dropout,
    attention_probs_dropout_prob: c.attentionDropout,
    layer_norm_eps: c.epsilon,
    initializer_range: c.initialDeviation,
    ...(offset > 0 && { pad_token_id: offset - 1 }),
    tie_word_embeddings: true,
  };
}

/** What reads the first token: BERT's is pre-trained, those of the others are parts of a classifier. */
const poolers = { bert: "bert.pooler.dense", roberta: "classifier.dense", distilbert: "pre_classifier" };
const named = (c: BertConfig) => (c.layout === "xlm-roberta" ? "roberta" : c.layout);
export const poolerName = (c: BertConfig): string => poolers[named(c)];
export function classifierParts(c: BertConfig): readonly string[] {
  const last = named(c) === "roberta" ? "classifier.out_proj" : "classifier";
  return c.layout === "bert" ? [last] : [poolerName(c), last];
}

/** Parts of names: in the graph, and in the files. */
const robertaParts = [
  ["bert", "roberta"],
  ["cls.predictions.transform.dense", "lm_head.dense"],
  ["cls.predictions.transform.LayerNorm", "lm_head.layer_norm"],
  ["cls.predictions.bias", "lm_head.bias"],
] as const;
const parts = { bert: [], roberta: robertaParts, distilbert: distilbertParts };

const notParameters = [
  /\.(position_ids|token_type_ids)$/,
  /^(cls\.predictions|lm_head)\.decoder\./,
  /^cls\.seq_relationship\./,
  /^vocab_projector\.weight$/,
  // RoBERTa's classifiers read the first token without it
  /^roberta\.pooler\./,
];
const bodyParts = /^(embeddings|encoder|transformer|pooler)\./;

/** Encoders are published bare or under `bert.`, old files say gamma and beta; buffers, the tied decoder and the next-sentence head are not parameters. */
export function fromPublicName(name: string, c: BertConfig): string | undefined {
  const modern = name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias");
  const full = bodyParts.test(modern) ? `${named(c)}.${modern}` : modern;
  if (notParameters.some((test) => test.test(full))) return undefined;
  return renameParts(
    full,
    parts[named(c)].map(([graph, file]) => [file, graph] as const),
  );
}

export const toPublicName = (name: string, c: BertConfig): string => renameParts(name, parts[named(c)]);
