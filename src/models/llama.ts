/** Llama and its kin: a decoder with rotary positions, SwiGLU, RMSNorm and shared key and value heads (Touvron et al. 2023). */
import { z } from "zod";
import { fail, type Scope, type Tensor } from "../ir/index.js";
import * as nn from "../nn/index.js";
import { rotary, silu } from "../ops/index.js";
import { proportions } from "./dial.js";
import type { Family, LanguageInputs } from "./family.js";
import { configFromPublic, fromPublicName, innerSize, recognises, toPublic, toPublicName } from "./llama-public.js";
import { pool } from "./pool.js";
import { rotaryScaling } from "./rotary-scaling.js";
import { count, dropouts, headsDivideWidth, initialDeviation, sizes, unevenHeads } from "./transformer-options.js";

/** Options of the Llama family; the defaults are Llama 2's. */
export const llamaConfig = z
  .strictObject({
    ...sizes,
    keyValueHeads: count
      .optional()
      .describe("heads of keys and values, which queries share: as many as heads if absent"),
    headSize: count.optional().describe("width of a head: hiddenSize / heads if absent"),
    intermediateSize: count.optional().describe("width of the MLP: 8/3 × hiddenSize if absent"),
    rotaryBase: z.number().positive().default(10_000).describe("the longest wavelength, in tokens over 2π"),
    rotaryScaling: rotaryScaling
      .optional()
      .describe(
        "how wavelengths are stretched for a longer context: { kind, factor, … }, kind linear, dynamic, llama3 or yarn",
      ),
    unplacedEvery: count.optional().describe("every so many layers one has no positions (SmolLM3's 4); none if absent"),
    window: count.optional().describe("tokens that a token sees, itself included; all before it if absent"),
    windowFrom: z.int().min(0).default(0).describe("the first layer that has the window"),
    queryKeyNorm: z.boolean().default(false).describe("RMSNorm on each head's queries and keys (Qwen3)"),
    attentionBias: z
      .enum(["none", "inputs", "all"])
      .default("none")
      .describe("biases in attention: none, of queries, keys and values (Qwen2), or of the output too"),
    mlpBias: z.boolean().default(false).describe("biases in the MLP"),
    tied: z.boolean().default(false).describe("the output layer is the token embedding"),
    attentionDropout: dropouts.attentionDropout.describe("share of the attention probabilities dropped in training"),
    epsilon: z.number().positive().default(1e-5).describe("added to the mean square in norms"),
    initialDeviation,
  })
  .refine((c) => c.headSize !== undefined || headsDivideWidth(c), unevenHeads)
  .refine((c) => c.heads % (c.keyValueHeads ?? c.heads) === 0, {
    error: "heads must be a multiple of keyValueHeads",
    path: ["keyValueHeads"],
  })
  .refine((c) => headSizeOf(c) % 2 === 0, {
    error: "rotary positions need heads of an even width",
    path: ["headSize"],
  });
export type LlamaConfig = z.infer<typeof llamaConfig>;

/** Width of a head. */
const headSizeOf = (c: {
  readonly hiddenSize: number;
  readonly heads: number;
  readonly headSize?: number | undefined;
}) => c.headSize ?? c.hiddenSize / c.heads;

const presets = {
  "llama-0.3m": llamaConfig.parse({
    ...{ vocabSize: 2048, contextLength: 128, layers: 3, heads: 4, keyValueHeads: 2, hiddenSize: 64 },
    tied: true,
  }),
  "llama-3m": llamaConfig.parse({
    ...{ vocabSize: 8192, contextLength: 256, layers: 4, heads: 6, keyValueHeads: 2, hiddenSize: 192 },
    tied: true,
  }),
  "smollm2-135m": llamaConfig.parse({
    ...{ vocabSize: 49_152, contextLength: 8192, layers: 30, heads: 9, keyValueHeads: 3, hiddenSize: 576 },
    ...{ intermediateSize: 1536, rotaryBase: 100_000, tied: true, initialDeviation: 1 / 24 },
  }),
  "qwen3-0.6b": llamaConfig.parse({
    ...{ vocabSize: 151_936, contextLength: 40_960, layers: 28, heads: 16, keyValueHeads: 8, hiddenSize: 1024 },
    ...{ headSize: 128, intermediateSize: 3072, rotaryBase: 1e6, queryKeyNorm: true, tied: true, epsilon: 1e-6 },
  }),
  "llama-3.2-1b": llamaConfig.parse({
    ...{ vocabSize: 128_256, contextLength: 131_072, layers: 16, heads: 32, keyValueHeads: 8, hiddenSize: 2048 },
    ...{ intermediateSize: 8192, rotaryBase: 500_000, tied: true },
    rotaryScaling: { kind: "llama3", factor: 32, originalContextLength: 8192 },
  }),
};

function body(p: Scope, x: LanguageInputs, c: LlamaConfig): Tensor {
  const [, T] = x.ids.dims("B T");
  if (T > c.contextLength)
    throw fail("shape", `${T} tokens in a context of ${c.contextLength}`, "use shorter rows or a longer contextLength");
  const whole = nn.attentionMask(T, { causal: true, segments: x.segments });
  const near = c.window ? nn.attentionMask(T, { causal: true, window: c.window, segments: x.segments }) : whole;
  let h = tokens(p, c).gather(x.ids);
  for (let i = 0; i < c.layers; i++) {
    const window = i < c.windowFrom ? undefined : c.window;
    const mask = window ? near : whole;
    const placed = !c.unplacedEvery || (i + 1) % c.unplacedEvery > 0;
    h = layer(p.at(`model.layers.${i}`), h, { x, mask, window, placed }, c);
  }
  return nn.rmsNorm(p.at("model.norm"), h, c.epsilon);
}

const table = (name: string) => (p: Scope, c: LlamaConfig) =>
  p.find(name) ?? p.param(name, [c.vocabSize, c.hiddenSize], nn.normal(c.initialDeviation));
const tokens = table("model.embed_tokens.weight");
const outputs = table("lm_head.weight");

interface Context {
  readonly x: LanguageInputs;
  readonly mask: Tensor | undefined;
  /** How many positions a token sees, its own included: what the mask says. */
  readonly window: number | undefined;
  /** Whether the layer knows positions. */
  readonly placed: boolean;
}

function layer(p: Scope, h: Tensor, context: Context, c: LlamaConfig): Tensor {
  h = h.add(attention(p.at("self_attn"), nn.rmsNorm(p.at("input_layernorm"), h, c.epsilon), context, c));
  return h.add(mlp(p.at("mlp"), nn.rmsNorm(p.at("post_attention_layernorm"), h, c.epsilon), c));
}

function attention(p: Scope, h: Tensor, { x, mask, window, placed }: Context, c: LlamaConfig): Tensor {
  const [B, T] = x.ids.dims("B T");
  const init = nn.normal(c.initialDeviation);
  const where = x.positions ?? nn.rowPositions(B, T);
  const split = (name: "q" | "k" | "v", heads: number) => {
    const o = { init, bias: c.attentionBias !== "none" };
    return nn.splitHeads(nn.linear(p.at(`${name}_proj`), h, heads * headSizeOf(c), o), heads);
  };
  const turned = (name: "q" | "k", heads: number) => {
    const plain = split(name, heads);
    const y = c.queryKeyNorm ? nn.rmsNorm(p.at(`${name}_norm`), plain, c.epsilon) : plain;
    return placed ? rotary(y, where, { base: c.rotaryBase, scaling: c.rotaryScaling }) : y;
  };
  const shared = c.keyValueHeads ?? c.heads;
  const heads = [turned("q", c.heads), turned("k", shared), split("v", shared)] as const;
  const o = { mask, window, cache: x.cache };
  const y = nn.attend(p, heads, { ...o, rate: c.attentionDropout, noise: x.dropout });
  return project(p.at("o_proj"), y, c.attentionBias === "all", c);
}

function mlp(p: Scope, h: Tensor, c: LlamaConfig): Tensor {
  const expand = (name: string) =>
    nn.linear(p.at(name), h, c.intermediateSize ?? innerSize(c.hiddenSize), {
      init: nn.normal(c.initialDeviation),
      bias: c.mlpBias,
    });
  return project(p.at("down_proj"), silu(expand("gate_proj")).mul(expand("up_proj")), c.mlpBias, c);
}

/** Back into the residual stream. */
const project = (p: Scope, y: Tensor, bias: boolean, c: LlamaConfig): Tensor =>
  nn.linear(p, y, c.hiddenSize, { init: nn.residual(c.initialDeviation, c.layers), bias });

export const llama: Family<LlamaConfig> & { readonly presets: typeof presets } = {
  name: "llama",
  summary: "Predicts the next token, as Llama, Qwen, Mistral and SmolLM do.",
  objective: "causal",
  config: llamaConfig,
  presets,
  derive: ({ size, vocabSize, contextLength }) =>
    llamaConfig.parse({
      ...{ vocabSize, contextLength, tied: true },
      // rotary positions have no table
      ...proportions({ size, vocabSize, contextLength: 0 }),
    }),
  body,
  logits: (p, hidden, c) => hidden.matmul((c.tied ? tokens : outputs)(p, c).T),
  poolings: ["last", "mean"],
  pooled: (_, hidden, { segments, pooling }) => pool(hidden, segments, pooling),
  decays: (name) => !/norm\.weight$|(^|\.)bias$/.test(name),
  recognises,
  fromPublic: (json) => configFromPublic(json, llamaConfig),
  toPublic,
  fromPublicName,
  toPublicName,
};
