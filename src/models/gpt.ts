/** GPT: a decoder-only transformer, pre-norm (Radford et al. 2019), with rotary, SwiGLU and RMSNorm variants. */
import { z } from "zod";
import { fail, type Scope, type Tensor } from "../ir/index.js";
import * as nn from "../nn/index.js";
import { gelu, rotary, silu } from "../ops/index.js";
import { proportions } from "./dial.js";
import type { Family, LanguageInputs } from "./family.js";
import { configFromPublic, fromPublicName, recognises, toPublic, toPublicName } from "./gpt-public.js";
import { pool } from "./pool.js";
import { count, dropouts, headsDivideWidth, initialDeviation, sizes, unevenHeads } from "./transformer-options.js";

/** Options of the GPT family; the defaults are GPT-2's. */
export const gptConfig = z
  .strictObject({
    ...sizes,
    intermediateSize: count
      .optional()
      .describe("width of the MLP: 4 × hiddenSize if absent, 8/3 × for swiglu, which has as many weights then"),
    activation: z.enum(["gelu", "swiglu"]).default("gelu").describe("nonlinearity of the MLP"),
    norm: z.enum(["layerNorm", "rmsNorm"]).default("layerNorm").describe("normalisation in front of each part"),
    positions: z.enum(["learned", "rotary"]).default("learned").describe("how a token knows its place"),
    rotaryBase: z.number().positive().default(10_000).describe("rotary: the longest wavelength, in tokens over 2π"),
    tied: z.boolean().default(true).describe("the output layer is the token embedding"),
    ...dropouts,
    epsilon: z.number().positive().default(1e-5).describe("added to the variance in norms"),
    initialDeviation,
  })
  .refine(headsDivideWidth, unevenHeads)
  .refine((c) => c.positions !== "rotary" || (c.hiddenSize / c.heads) % 2 === 0, {
    error: "rotary positions need an even hiddenSize / heads",
    path: ["positions"],
  });
export type GptConfig = z.infer<typeof gptConfig>;

const preset = (vocabSize: number, contextLength: number, layers: number, heads: number, hiddenSize: number) =>
  gptConfig.parse({ vocabSize, contextLength, layers, heads, hiddenSize });

const presets = {
  "gpt-0.3m": preset(2048, 128, 3, 2, 64),
  "gpt-1m": preset(1024, 128, 4, 4, 128),
  "gpt-3m": preset(8192, 256, 4, 6, 192),
  "gpt-12m": preset(4096, 256, 6, 6, 384),
  "gpt-34m": preset(16_384, 512, 8, 8, 512),
  gpt2: preset(50_257, 1024, 12, 12, 768),
  "modern-3m": gptConfig.parse({
    ...preset(8192, 256, 4, 6, 192),
    activation: "swiglu",
    norm: "rmsNorm",
    positions: "rotary",
  }),
};

const innerSize = (c: GptConfig): number =>
  c.intermediateSize ?? (c.activation === "swiglu" ? Math.ceil((8 * c.hiddenSize) / 96) * 32 : 4 * c.hiddenSize);

function body(p: Scope, x: LanguageInputs, c: GptConfig): Tensor {
  const [, T] = x.ids.dims("B T");
  if (T > c.contextLength)
    throw fail("shape", `${T} tokens in a context of ${c.contextLength}`, "use shorter rows or a longer contextLength");
  const mask = nn.attentionMask(T, { causal: true, segments: x.segments });
  let h = tokens(p, c).gather(x.ids);
  if (c.positions === "learned") h = h.add(positions(p, x, c));
  h = nn.dropout(p.at("drop"), h, { rate: c.dropout, noise: x.dropout });
  for (let i = 0; i < c.layers; i++) h = block(p.at(`h.${i}`), h, { x, mask }, c);
  return norm(p.at("ln_f"), h, c);
}

const tokens = (p: Scope, c: GptConfig): Tensor =>
  p.find("wte.weight") ?? p.param("wte.weight", [c.vocabSize, c.hiddenSize], nn.normal(c.initialDeviation));

function positions(p: Scope, x: LanguageInputs, c: GptConfig): Tensor {
  const table = p.param("wpe.weight", [c.contextLength, c.hiddenSize], nn.normal(c.initialDeviation));
  return x.positions ? table.gather(x.positions) : table.slice(0, 0, x.ids.shape[1]!);
}

interface Context {
  readonly x: LanguageInputs;
  readonly mask: Tensor | undefined;
}

function block(p: Scope, h: Tensor, context: Context, c: GptConfig): Tensor {
  const drop = (name: string, y: Tensor) =>
    nn.dropout(p.at(`${name}.drop`), y, { rate: c.dropout, noise: context.x.dropout });
  h = h.add(drop("attn", attention(p.at("attn"), norm(p.at("ln_1"), h, c), context, c)));
  return h.add(drop("mlp", mlp(p.at("mlp"), norm(p.at("ln_2"), h, c), c)));
}

function attention(p: Scope, h: Tensor, { x, mask }: Context, c: GptConfig): Tensor {
  const init = nn.normal(c.initialDeviation);
  const fused = nn.linear(p.at("c_attn"), h, 3 * c.hiddenSize, { layout: "in-out", init });
  let [q, k, v] = nn.splitFused(fused, c.heads);
  if (c.positions === "rotary") {
    const [B, T] = x.ids.dims("B T");
    const where = x.positions ?? nn.rowPositions(B, T);
    q = rotary(q, where, { base: c.rotaryBase });
    k = rotary(k, where, { base: c.rotaryBase });
  }
  const y = nn.attend(p, [q, k, v], { mask, rate: c.attentionDropout, noise: x.dropout, cache: x.cache });
  return project(p.at("c_proj"), y, c);
}

function mlp(p: Scope, h: Tensor, c: GptConfig): Tensor {
  const init = nn.normal(c.initialDeviation);
  const expand = (name: string) => nn.linear(p.at(name), h, innerSize(c), { layout: "in-out", init });
  const up = expand("c_fc");
  return project(p.at("c_proj"), c.activation === "swiglu" ? silu(expand("c_gate")).mul(up) : gelu(up), c);
}

/** Back into the residual stream. */
const project = (p: Scope, y: Tensor, c: GptConfig): Tensor =>
  nn.linear(p, y, c.hiddenSize, { layout: "in-out", init: nn.residual(c.initialDeviation, c.layers) });

const norms = { layerNorm: nn.layerNorm, rmsNorm: nn.rmsNorm };
const norm = (p: Scope, h: Tensor, c: GptConfig): Tensor => norms[c.norm](p, h, c.epsilon);

function logits(p: Scope, hidden: Tensor, c: GptConfig): Tensor {
  const table = c.tied
    ? tokens(p, c)
    : p.param("lm_head.weight", [c.vocabSize, c.hiddenSize], nn.normal(c.initialDeviation));
  return hidden.matmul(table.T);
}

export const gpt: Family<GptConfig> & { readonly presets: typeof presets } = {
  name: "gpt",
  summary: "Predicts the next token: writes text, and reads it from left to right.",
  objective: "causal",
  config: gptConfig,
  presets,
  derive: (dial) =>
    gptConfig.parse({ vocabSize: dial.vocabSize, contextLength: dial.contextLength, ...proportions(dial) }),
  body,
  logits,
  poolings: ["last", "mean"],
  pooled: (_, hidden, { segments, pooling }) => pool(hidden, segments, pooling),
  decays: (name) => !/(^|\.)ln_\w+\.weight$|(^|\.)bias$/.test(name),
  recognises,
  fromPublic: (json) => configFromPublic(json, gptConfig),
  toPublic,
  fromPublicName,
  toPublicName,
};
