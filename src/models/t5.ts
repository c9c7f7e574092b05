/** T5: an encoder that reads a source and a decoder that writes the target, with relative positions (Raffel et al. 2020). */
import { z } from "zod";
import { fail, type Init, type Scope, type Tensor } from "../ir/index.js";
import * as nn from "../nn/index.js";
import { gelu } from "../ops/index.js";
import { proportions } from "./dial.js";
import type { Family, LanguageInputs } from "./family.js";
import { pool } from "./pool.js";
import { configFromPublic, fromPublicName, innerSize, recognises, toPublic, toPublicName } from "./t5-public.js";
import { count, dropouts, initialDeviation, sizes } from "./transformer-options.js";

/** Options of the T5 family; the defaults are those of T5 1.0, without dropout. */
export const t5Config = z
  .strictObject({
    ...sizes,
    heads: count.describe("attention heads; hiddenSize is a multiple of them unless headSize is set"),
    layers: count.describe("blocks of the encoder, and of the decoder unless decoderLayers is set"),
    decoderLayers: count.optional().describe("blocks of the decoder: as many as of the encoder if absent"),
    headSize: count.optional().describe("width of a head: hiddenSize / heads if absent"),
    intermediateSize: count.optional().describe("width of the MLP: 4 × hiddenSize if absent, 8/3 × for geglu"),
    activation: z
      .enum(["relu", "geglu"])
      .default("relu")
      .describe("nonlinearity of the MLP: relu in T5 1.0, geglu (gated) in T5 1.1 and FLAN"),
    tied: z.boolean().default(true).describe("the output layer is the token embedding, as in T5 1.0"),
    relativeBuckets: z
      .int()
      .min(4)
      .multipleOf(2)
      .default(32)
      .describe("distances that attention tells apart, before and after together"),
    relativeDistance: count.default(128).describe("from so many tokens on, all distances are one"),
    start: z.int().min(0).default(0).describe("id that the decoder's text begins with: the tokeniser's padding"),
    end: z.int().min(0).default(1).describe("id that ends a text"),
    dropout: dropouts.dropout,
    epsilon: z.number().positive().default(1e-6).describe("added to the mean square in norms"),
    initialDeviation,
  })
  .refine((c) => c.headSize !== undefined || c.hiddenSize % c.heads === 0, {
    error: "hiddenSize must be a multiple of heads, or headSize set",
    path: ["heads"],
  })
  .refine((c) => c.relativeDistance > c.relativeBuckets / 2, {
    error: "relativeDistance must be more than half of relativeBuckets",
    path: ["relativeDistance"],
  });
export type T5Config = z.infer<typeof t5Config>;

const preset = (layers: number, heads: number, hiddenSize: number, more: Partial<T5Config> = {}) =>
  t5Config.parse({ vocabSize: 32_128, contextLength: 512, layers, heads, hiddenSize, ...more });
const flan = { activation: "geglu", tied: false } as const;

const presets = {
  "t5-1m": preset(2, 4, 128, { vocabSize: 2048, contextLength: 128 }),
  "t5-4m": preset(3, 3, 192, { vocabSize: 8192, contextLength: 256, activation: "geglu" }),
  "t5-small": preset(6, 8, 512),
  "t5-base": preset(12, 12, 768),
  "flan-t5-small": preset(8, 6, 512, { ...flan, headSize: 64, intermediateSize: 1024 }),
  "flan-t5-base": preset(12, 12, 768, { ...flan, intermediateSize: 2048 }),
};

/** What every block of a stack is given. */
interface Context {
  readonly x: LanguageInputs;
  /** Added to the scores of self attention. */
  readonly mask: Tensor;
  /** The same for earlier tokens that a cache keeps. */
  readonly bias?: Tensor;
  /** Blocks of the stack. */
  readonly layers: number;
  /** What the decoder reads, and where it may be looked at. */
  readonly source?: { readonly hidden: Tensor; readonly mask: Tensor | undefined };
}

function encode(p: Scope, x: LanguageInputs, c: T5Config): Tensor {
  const at = p.at("encoder");
  const h = embed(p, at, x, c);
  return stack(at, h, { x, ...selfMask(at, x, { causal: false, c }), layers: c.layers }, c);
}

function body(p: Scope, x: LanguageInputs, c: T5Config): Tensor {
  const at = p.at("decoder");
  const h = embed(p, at, x, c);
  if (!x.memory)
    throw fail(
      "config",
      "a t5 model writes from a source, and none was given",
      "give what its encoder made of one as memory",
    );
  const { hidden, segments } = x.memory;
  const source = { hidden, mask: segments && nn.crossMask(x.segments, segments) };
  return stack(at, h, { x, ...selfMask(at, x, { causal: true, c }), layers: c.decoderLayers ?? c.layers, source }, c);
}

const table = "shared.weight";
function tokens(p: Scope, c: T5Config): Tensor {
  // a head that is tied divides by the root of the width what it reads
  const deviation = c.initialDeviation * (c.tied ? c.hiddenSize ** 0.5 : 1);
  return p.find(table) ?? p.param(table, [c.vocabSize, c.hiddenSize], nn.normal(deviation));
}

function embed(p: Scope, at: Scope, x: LanguageInputs, c: T5Config): Tensor {
  const [, T] = x.ids.dims("B T");
  if (T > c.contextLength)
    throw fail("shape", `${T} tokens in a context of ${c.contextLength}`, "use shorter rows or a longer contextLength");
  return nn.dropout(at.at("dropout"), tokens(p, c).gather(x.ids), { rate: c.dropout, noise: x.dropout });
}

/** What is added to the scores of self attention: of tokens among themselves, and of earlier ones that a cache keeps. */
function selfMask(p: Scope, x: LanguageInputs, { causal, c }: { causal: boolean; c: T5Config }) {
  const [, T] = x.ids.dims("B T");
  // without positions one bias does for all rows: distances within a document are those along its row
  const places = x.positions ?? T;
  // the first block's table serves all of a stack
  const biasTo = (keys: nn.Places) =>
    nn.relativeBias(
      p.at("block.0.layer.0.SelfAttention.relative_attention_bias"),
      { queries: places, keys },
      {
        heads: c.heads,
        buckets: c.relativeBuckets,
        maxDistance: c.relativeDistance,
        bidirectional: !causal,
        init: nn.normal(c.initialDeviation),
      },
    );
  const mask = nn.attentionMask(T, { causal, segments: x.segments });
  const bias = biasTo(places);
  const kept = x.cache?.positions;
  return { mask: mask ? bias.add(mask) : bias, ...(kept && { bias: biasTo(kept) }) };
}

function stack(p: Scope, h: Tensor, context: Context, c: T5Config): Tensor {
  for (let i = 0; i < context.layers; i++) h = block(p.at(`block.${i}`), h, context, c);
  const y = nn.rmsNorm(p.at("final_layer_norm"), h, c.epsilon);
  return nn.dropout(p.at("final_dropout"), y, { rate: c.dropout, noise: context.x.dropout });
}

function block(p: Scope, h: Tensor, context: Context, c: T5Config): Tensor {
  const { x, mask, source } = context;
  const add = (at: Scope, part: (normed: Tensor) => Tensor) => {
    const y = part(nn.rmsNorm(at.at("layer_norm"), h, c.epsilon));
    h = h.add(nn.dropout(at.at("dropout"), y, { rate: c.dropout, noise: x.dropout }));
  };
  const [self, cross] = [p.at("layer.0"), p.at("layer.1")];
  add(self, (y) => attention(self.at("SelfAttention"), { from: y, to: y, mask }, context, c));
  if (source)
    add(cross, (y) =>
      attention(cross.at("EncDecAttention"), { from: y, to: source.hidden, mask: source.mask }, context, c),
    );
  const last = source ? p.at("layer.2") : cross;
  add(last, (y) => mlp(last.at("DenseReluDense"), y, context, c));
  return h;
}

interface Looking {
  readonly from: Tensor;
  readonly to: Tensor;
  readonly mask: Tensor | undefined;
}

function attention(p: Scope, { from, to, mask }: Looking, context: Context, c: T5Config): Tensor {
  const size = c.headSize ?? c.hiddenSize / c.heads;
  const split = (name: string, x: Tensor, deviation: number) =>
    nn.splitHeads(linear(p.at(name), x, c.heads * size, nn.normal(deviation)), c.heads);
  const s = c.initialDeviation;
  // scores are not scaled: the queries' first weights are
  const q = split("q", from, s * size ** -0.5);
  const made = () => [split("k", to, s), split("v", to, s)] as const;
  const { cache, dropout: noise } = context.x;
  const o = { mask, scale: 1, rate: c.dropout, noise };
  // a source stays as it is; what the decoder has written grows
  const y =
    from === to
      ? nn.attend(p, [q, ...made()], { ...o, cache, bias: context.bias })
      : nn.attend(p, [q, ...(cache ? cache.keep(p.path, made) : made())], o);
  return linear(p.at("o"), y, c.hiddenSize, nn.residual(s, context.layers));
}

function mlp(p: Scope, h: Tensor, { x, layers }: Context, c: T5Config): Tensor {
  const expand = (name: string) => linear(p.at(name), h, innerSize(c), nn.normal(c.initialDeviation));
  const inner = c.activation === "geglu" ? gelu(expand("wi_0")).mul(expand("wi_1")) : expand("wi").relu();
  const dropped = nn.dropout(p.at("dropout"), inner, { rate: c.dropout, noise: x.dropout });
  return linear(p.at("wo"), dropped, c.hiddenSize, nn.residual(c.initialDeviation, layers));
}

const linear = (p: Scope, x: Tensor, size: number, init: Init): Tensor => nn.linear(p, x, size, { init, bias: false });

function logits(p: Scope, hidden: Tensor, c: T5Config): Tensor {
  if (c.tied) return hidden.mul(c.hiddenSize ** -0.5).matmul(tokens(p, c).T);
  return linear(p.at("lm_head"), hidden, c.vocabSize, nn.normal(c.initialDeviation));
}

export const t5: Family<T5Config> & { readonly presets: typeof presets } = {
  name: "t5",
  summary: "Reads a text and writes another: translates, summarises, answers.",
  objective: "seq2seq",
  config: t5Config,
  presets,
  derive({ size, vocabSize, contextLength }) {
    // 12 in an encoder's block and 16 in a decoder's, which has two attentions; no table of positions
    const { layers, heads, hiddenSize } = proportions({ size, vocabSize, contextLength: 0, squares: 28 });
    return t5Config.parse({ vocabSize, contextLength, layers, heads, hiddenSize });
  },
  encode,
  body,
  logits,
  poolings: ["mean", "last"],
  pooled: (_, hidden, { segments, pooling }) => pool(hidden, segments, pooling),
  decays: (name) => !/(^|\.)(final_)?layer_norm\.weight$|(^|\.)bias$/.test(name),
  recognises,
  fromPublic: (json) => configFromPublic(json, t5Config),
  toPublic,
  fromPublicName,
  toPublicName,
};
