/** BERT: a bidirectional encoder, post-norm, pre-trained by filling in masked words (Devlin et al. 2018); RoBERTa and DistilBERT too. */
import { z } from "zod";
import { fail, type Scope, type Tensor } from "../ir/index.js";
import * as nn from "../nn/index.js";
import { gelu, geluErf } from "../ops/index.js";
import {
  classifierParts,
  configFromPublic,
  fromPublicName,
  layouts,
  poolerName,
  positionOffset,
  recognises,
  toPublic,
  toPublicName,
} from "./bert-public.js";
import { proportions } from "./dial.js";
import type { Family, LanguageInputs } from "./family.js";
import { pool } from "./pool.js";
import { count, dropouts, headsDivideWidth, initialDeviation, sizes, unevenHeads } from "./transformer-options.js";

/** Options of the BERT family; the defaults are BERT's, without dropout. */
export const bertConfig = z
  .strictObject({
    ...sizes,
    intermediateSize: count.optional().describe("width of the MLP: 4 × hiddenSize if absent"),
    activation: z
      .enum(["gelu", "geluTanh", "relu"])
      .default("gelu")
      .describe("nonlinearity of the MLP; gelu is the exact one, geluTanh its approximation"),
    tokenTypes: z
      .int()
      .min(0)
      .default(2)
      .describe("kinds of token: the first and the second text of a pair; RoBERTa has 1, DistilBERT 0"),
    layout: z
      .enum(layouts)
      .default("bert")
      .describe("whose public files it is written as; RoBERTa's and DistilBERT's classifiers also have another head"),
    positionOffset: count
      .optional()
      .describe("RoBERTa: rows of the position table before the first token's, the padding's id + 1; 2 if absent"),
    ...dropouts,
    epsilon: z.number().positive().default(1e-12).describe("added to the variance in norms"),
    initialDeviation,
  })
  .refine(headsDivideWidth, unevenHeads)
  .refine((c) => c.positionOffset === undefined || positionOffset(c) > 0, {
    error: "only RoBERTa's position table begins with rows that no token has",
    path: ["positionOffset"],
  })
  .refine((c) => c.layout !== "distilbert" || (c.tokenTypes === 0 && c.epsilon === 1e-12), {
    error: "DistilBERT's files can only say tokenTypes 0 and epsilon 1e-12",
    path: ["layout"],
  });
export type BertConfig = z.infer<typeof bertConfig>;

const preset = (vocabSize: number, contextLength: number, layers: number, heads: number, hiddenSize: number) =>
  bertConfig.parse({ vocabSize, contextLength, layers, heads, hiddenSize });

const presets = {
  "bert-1m": preset(4096, 128, 2, 4, 128),
  "bert-tiny": preset(8192, 128, 3, 3, 192),
  "bert-4m": preset(8192, 128, 5, 3, 192),
  minilm: preset(30_522, 512, 6, 12, 384),
  "bert-base": preset(30_522, 512, 12, 12, 768),
  "roberta-base": bertConfig.parse({
    ...preset(50_265, 512, 12, 12, 768),
    ...{ layout: "roberta", tokenTypes: 1, epsilon: 1e-5 },
  }),
  distilbert: bertConfig.parse({ ...preset(30_522, 512, 6, 12, 768), layout: "distilbert", tokenTypes: 0 }),
};

const activations = { gelu: geluErf, geluTanh: gelu, relu: (x: Tensor) => x.relu() };

function body(p: Scope, x: LanguageInputs, c: BertConfig): Tensor {
  const [, T] = x.ids.dims("B T");
  if (T > c.contextLength)
    throw fail("shape", `${T} tokens in a context of ${c.contextLength}`, "use shorter rows or a longer contextLength");
  const mask = nn.attentionMask(T, { causal: false, segments: x.segments });
  let h = embed(p, x, c);
  for (let i = 0; i < c.layers; i++) h = layer(p.at(`bert.encoder.layer.${i}`), h, { x, mask }, c);
  return h;
}

const wordTable = "bert.embeddings.word_embeddings.weight";
const words = (p: Scope, c: BertConfig): Tensor =>
  p.find(wordTable) ?? p.param(wordTable, [c.vocabSize, c.hiddenSize], nn.normal(c.initialDeviation));

function embed(p: Scope, x: LanguageInputs, c: BertConfig): Tensor {
  const at = p.at("bert.embeddings");
  const table = (name: string, rows: number) =>
    at.param(`${name}_embeddings.weight`, [rows, c.hiddenSize], nn.normal(c.initialDeviation));
  const first = positionOffset(c);
  const places = table("position", first + c.contextLength);
  const [, T] = x.ids.dims("B T");
  let h = words(p, c).gather(x.ids);
  h = h.add(
    x.positions ? places.gather(first ? x.positions.add(first) : x.positions) : places.slice(0, first, first + T),
  );
  if (c.tokenTypes) {
    const types = table("token_type", c.tokenTypes);
    h = h.add(x.types ? types.gather(x.types) : types.slice(0, 0, 1));
  }
  h = nn.layerNorm(at.at("LayerNorm"), h, c.epsilon);
  return nn.dropout(at.at("dropout"), h, { rate: c.dropout, noise: x.dropout });
}

interface Context {
  readonly x: LanguageInputs;
  readonly mask: Tensor | undefined;
}

function layer(p: Scope, h: Tensor, context: Context, c: BertConfig): Tensor {
  const noise = context.x.dropout;
  const join = (at: Scope, inner: Tensor, outer: Tensor) => {
    const y = dense(at.at("dense"), inner, c.hiddenSize, c);
    const dropped = nn.dropout(at.at("dropout"), y, { rate: c.dropout, noise });
    return nn.layerNorm(at.at("LayerNorm"), dropped.add(outer), c.epsilon);
  };
  h = join(p.at("attention.output"), attention(p.at("attention.self"), h, context, c), h);
  const inner = activations[c.activation](
    dense(p.at("intermediate.dense"), h, c.intermediateSize ?? 4 * c.hiddenSize, c),
  );
  return join(p.at("output"), inner, h);
}

function attention(p: Scope, h: Tensor, { x, mask }: Context, c: BertConfig): Tensor {
  const split = (name: string) => nn.splitHeads(dense(p.at(name), h, c.hiddenSize, c), c.heads);
  const heads = [split("query"), split("key"), split("value")] as const;
  return nn.attend(p, heads, { mask, rate: c.attentionDropout, noise: x.dropout });
}

const dense = (p: Scope, x: Tensor, size: number, c: BertConfig): Tensor =>
  nn.linear(p, x, size, { init: nn.normal(c.initialDeviation) });

function logits(p: Scope, hidden: Tensor, c: BertConfig): Tensor {
  const at = p.at("cls.predictions");
  // RoBERTa's head has the exact one, whatever its layers have
  const activation = c.layout === "bert" || c.layout === "distilbert" ? activations[c.activation] : geluErf;
  const transformed = activation(dense(at.at("transform.dense"), hidden, c.hiddenSize, c));
  const h = nn.layerNorm(at.at("transform.LayerNorm"), transformed, c.epsilon);
  return h.matmul(words(p, c).T).add(at.param("bias", [c.vocabSize], nn.zeros));
}

export const bert: Family<BertConfig> & { readonly presets: typeof presets } = {
  name: "bert",
  summary: "Reads a text in both directions: classifies, compares and finds.",
  objective: "masked",
  config: bertConfig,
  presets,
  derive: (dial) =>
    bertConfig.parse({ vocabSize: dial.vocabSize, contextLength: dial.contextLength, ...proportions(dial) }),
  body,
  logits,
  poolings: ["mean", "cls"],
  pooled(p, hidden, { segments, pooling }, c) {
    const y = pool(hidden, segments, pooling);
    if (pooling !== "cls") return y;
    const pooler = dense(p.at(poolerName(c)), y, c.hiddenSize, c);
    return c.layout === "distilbert" ? pooler.relu() : pooler.tanh();
  },
  classifierParts,
  decays: (name) => !/(^|\.)LayerNorm\.weight$|(^|\.)bias$/.test(name),
  recognises,
  fromPublic: (json) => configFromPublic(json, bertConfig),
  toPublic,
  fromPublicName,
  toPublicName,
};
