/** BART: an encoder that reads a source and a decoder that writes the target, post-norm, with learned positions (Lewis et al. 2019). */
import { z } from "zod";
import { fail, type Scope, type Tensor } from "../ir/index.js";
import * as nn from "../nn/index.js";
import { gelu, geluErf } from "../ops/index.js";
import { configFromPublic, fromPublicName, recognises, toPublic, toPublicName } from "./bart-public.js";
import { proportions } from "./dial.js";
import type { Family, LanguageInputs, Memory } from "./family.js";
import { pool } from "./pool.js";
import { count, dropouts, headsDivideWidth, initialDeviation, sizes, unevenHeads } from "./transformer-options.js";

/** Options of the BART family; the defaults are BART's, without dropout. */
export const bartConfig = z
  .strictObject({
    ...sizes,
    layers: count.describe("blocks of the encoder, and of the decoder unless decoderLayers is set"),
    decoderLayers: count.optional().describe("blocks of the decoder: as many as of the encoder if absent"),
    intermediateSize: count.optional().describe("width of the MLP: 4 × hiddenSize if absent"),
    activation: z
      .enum(["gelu", "geluTanh", "relu"])
      .default("gelu")
      .describe("nonlinearity of the MLP; gelu is the exact one, geluTanh its approximation"),
    scaledEmbedding: z.boolean().default(false).describe("token vectors are multiplied by the root of the width"),
    start: z.int().min(0).default(2).describe("id that the decoder's text begins with"),
    end: z.int().min(0).default(2).describe("id that ends a text"),
    padding: z.int().min(0).default(1).describe("id of padding"),
    ...dropouts,
    initialDeviation,
  })
  .refine(headsDivideWidth, unevenHeads);
export type BartConfig = z.infer<typeof bartConfig>;

const preset = (vocabSize: number, contextLength: number, layers: number, heads: number, hiddenSize: number) =>
  bartConfig.parse({ vocabSize, contextLength, layers, heads, hiddenSize });

const presets = {
  "bart-1m": preset(2048, 128, 2, 4, 128),
  "bart-base": preset(50_265, 1024, 6, 12, 768),
  "bart-large": preset(50_265, 1024, 12, 16, 1024),
};

const activations = { gelu: geluErf, geluTanh: gelu, relu: (x: Tensor) => x.relu() };

/** What every block of a stack is given. */
interface Context {
  readonly x: LanguageInputs;
  readonly mask: Tensor | undefined;
  /** What the decoder reads, and where it may be looked at. */
  readonly source?: Memory & { readonly mask: Tensor | undefined };
}

function encode(p: Scope, x: LanguageInputs, c: BartConfig): Tensor {
  const at = p.at("model.encoder");
  let h = embed(p, at, x, c);
  const mask = nn.attentionMask(x.ids.shape[1]!, { causal: false, segments: x.segments });
  for (let i = 0; i < c.layers; i++) h = block(at.at(`layers.${i}`), h, { x, mask }, c);
  return h;
}

function body(p: Scope, x: LanguageInputs, c: BartConfig): Tensor {
  const at = p.at("model.decoder");
  let h = embed(p, at, x, c);
  if (!x.memory)
    throw fail(
      "config",
      "a bart model writes from a source, and none was given",
      "give what its encoder made of one as memory",
    );
  const { segments } = x.memory;
  const source = { ...x.memory, mask: segments && nn.crossMask(x.segments, segments) };
  const mask = nn.attentionMask(x.ids.shape[1]!, { causal: true, segments: x.segments });
  for (let i = 0; i < (c.decoderLayers ?? c.layers); i++) h = block(at.at(`layers.${i}`), h, { x, mask, source }, c);
  return h;
}

const table = "model.shared.weight";
const tokens = (p: Scope, c: BartConfig): Tensor =>
  p.find(table) ?? p.param(table, [c.vocabSize, c.hiddenSize], nn.normal(c.initialDeviation));

/** Public checkpoints keep two rows in front of the first place. */
const offset = 2;

function embed(p: Scope, at: Scope, x: LanguageInputs, c: BartConfig): Tensor {
  const [, T] = x.ids.dims("B T");
  if (T > c.contextLength)
    throw fail("shape", `${T} tokens in a context of ${c.contextLength}`, "use shorter rows or a longer contextLength");
  const rows = [c.contextLength + offset, c.hiddenSize];
  const places = at.param("embed_positions.weight", rows, nn.normal(c.initialDeviation));
  const words = tokens(p, c).gather(x.ids);
  const scaled = c.scaledEmbedding ? words.mul(c.hiddenSize ** 0.5) : words;
  const h = scaled.add(x.positions ? places.gather(x.positions.add(offset)) : places.slice(0, offset, offset + T));
  const normed = nn.layerNorm(at.at("layernorm_embedding"), h);
  return nn.dropout(at.at("dropout"), normed, { rate: c.dropout, noise: x.dropout });
}

type Heads = readonly [k: Tensor, v: Tensor];
function block(p: Scope, h: Tensor, { x, mask, source }: Context, c: BartConfig): Tensor {
  const join = (name: string, y: Tensor) => {
    const dropped = nn.dropout(p.at(`${name}_dropout`), y, { rate: c.dropout, noise: x.dropout });
    return nn.layerNorm(p.at(`${name}_layer_norm`), h.add(dropped));
  };
  const self = p.at("self_attn");
  h = join("self_attn", attention(self, h, { to: keysAndValues(self, h, c), mask, x }, c));
  if (source) {
    const cross = p.at("encoder_attn");
    const made = () => keysAndValues(cross, source.hidden, c);
    const to = x.cache ? x.cache.keep(cross.path, made) : made();
    h = join("encoder_attn", attention(cross, h, { to, mask: source.mask, x: { ...x, cache: undefined } }, c));
  }
  const inner = activations[c.activation](dense(p.at("fc1"), h, c.intermediateSize ?? 4 * c.hiddenSize, c));
  return join("final", dense(p.at("fc2"), inner, c.hiddenSize, c));
}

const keysAndValues = (p: Scope, x: Tensor, c: BartConfig): Heads => [
  nn.splitHeads(dense(p.at("k_proj"), x, c.hiddenSize, c), c.heads),
  nn.splitHeads(dense(p.at("v_proj"), x, c.hiddenSize, c), c.heads),
];

interface Looking {
  readonly to: Heads;
  readonly mask: Tensor | undefined;
  readonly x: LanguageInputs;
}

function attention(p: Scope, from: Tensor, { to, mask, x }: Looking, c: BartConfig): Tensor {
  const q = nn.splitHeads(dense(p.at("q_proj"), from, c.hiddenSize, c), c.heads);
  const y = nn.attend(p, [q, ...to], { mask, rate: c.attentionDropout, noise: x.dropout, cache: x.cache });
  return dense(p.at("out_proj"), y, c.hiddenSize, c);
}

const dense = (p: Scope, x: Tensor, size: number, c: BartConfig): Tensor =>
  nn.linear(p, x, size, { init: nn.normal(c.initialDeviation) });

export const bart: Family<BartConfig> & { readonly presets: typeof presets } = {
  name: "bart",
  summary: "Reads a text and writes another, as T5 does, with places learnt one by one.",
  objective: "seq2seq",
  config: bartConfig,
  presets,
  derive({ size, vocabSize, contextLength }) {
    // 12 in an encoder's block and 16 in a decoder's, which has two attentions; both sides have a table of positions
    const { layers, heads, hiddenSize } = proportions({
      size,
      vocabSize,
      contextLength: 2 * contextLength,
      squares: 28,
    });
    return bartConfig.parse({ vocabSize, contextLength, layers, heads, hiddenSize });
  },
  encode,
  body,
  logits: (p, hidden, c) => hidden.matmul(tokens(p, c).T),
  poolings: ["mean", "cls", "last"],
  pooled: (_, hidden, { segments, pooling }) => pool(hidden, segments, pooling),
  decays: (name) => !/(layer_norm|layernorm_embedding)\.weight$|(^|\.)bias$/.test(name),
  recognises,
  fromPublic: (json) => configFromPublic(json, bartConfig),
  toPublic,
  fromPublicName,
  toPublicName,
};
