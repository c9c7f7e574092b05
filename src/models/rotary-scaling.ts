/** Scaling of rotary positions: as an option, and in the public files of both generations of transformers. */
import { z } from "zod";
import type { RotaryScaling } from "../ops/index.js";
import type { PublicConfig } from "./family.js";
import { optional, recordIn, unsupported } from "./public.js";
import { count } from "./transformer-options.js";

const factor = z.number().min(1);
const positive = z.number().positive();

/** How rotary wavelengths are stretched. */
export const rotaryScaling = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("linear"), factor }),
  z.strictObject({ kind: z.literal("dynamic"), factor }),
  z
    .strictObject({
      kind: z.literal("llama3"),
      factor,
      originalContextLength: count,
      lowFrequencyFactor: positive.default(1),
      highFrequencyFactor: positive.default(4),
    })
    .refine((c) => c.highFrequencyFactor > c.lowFrequencyFactor, {
      error: "highFrequencyFactor must be above lowFrequencyFactor",
      path: ["highFrequencyFactor"],
    }),
  z.strictObject({
    kind: z.literal("yarn"),
    factor,
    originalContextLength: count,
    betaFast: positive.default(32),
    betaSlow: positive.default(1),
    attentionFactor: positive.optional(),
    truncate: z.boolean().default(true),
  }),
]) satisfies z.ZodType<RotaryScaling>;

export interface Rotary {
  readonly base: unknown;
  /** Options as the file gives them, not yet checked; undefined where wavelengths are as they were. */
  readonly scaling: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Rotary positions from a public config.json: `rope_parameters` (transformers 5), or `rope_theta` and `rope_scaling` (before).
 * Throws `config` for a kind of scaling that plinth does not have.
 */
export function rotaryFromPublic(json: PublicConfig, { base: usual }: { base: number }): Rotary {
  const all = { ...recordIn(json, "rope_scaling"), ...recordIn(json, "rope_parameters") };
  const base = all["rope_theta"] ?? json["rope_theta"] ?? usual;
  const kind = all["rope_type"] ?? all["type"] ?? "default";
  const nested = Object.keys(all).find((key) => typeof all[key] === "object" && !Array.isArray(all[key]) && all[key]);
  if (nested) throw unsupported(`rope_parameters.${nested}`, all[nested], "one rotation for all layers");
  const part = all["partial_rotary_factor"] ?? json["partial_rotary_factor"] ?? 1;
  if (part !== 1) throw unsupported("partial_rotary_factor", part, "1");
  const original = all["original_max_position_embeddings"] ?? json["max_position_embeddings"];
  const ratio = Number(json["max_position_embeddings"]) / Number(original);
  const stretched = { factor: all["factor"] ?? ratio, originalContextLength: original };
  switch (kind) {
    case "default":
      return { base, scaling: undefined };
    case "linear":
    case "dynamic":
      return { base, scaling: { kind, factor: all["factor"] } };
    case "llama3": {
      const low = optional("lowFrequencyFactor", all["low_freq_factor"]);
      return {
        base,
        scaling: { kind, ...stretched, ...low, ...optional("highFrequencyFactor", all["high_freq_factor"]) },
      };
    }
    case "yarn":
      return { base, scaling: { kind, ...stretched, ...yarnFromPublic({ ...all, ...stretched }) } };
    default:
      throw unsupported("rope_type", kind, '"default", "linear", "dynamic", "llama3", "yarn"');
  }
}

function yarnFromPublic(all: PublicConfig): Record<string, unknown> {
  const [over, under] = [all["mscale"], all["mscale_all_dim"]];
  const length = (share: unknown) => 0.1 * Number(share) * Math.log(Number(all["factor"])) + 1;
  // DeepSeek's files give the factor as a quotient of two
  const attention = all["attention_factor"] ?? (over && under ? length(over) / length(under) : undefined);
  return {
    ...optional("betaFast", all["beta_fast"]),
    ...optional("betaSlow", all["beta_slow"]),
    ...optional("attentionFactor", attention),
    ...optional("truncate", all["truncate"]),
  };
}

/** To the keys that both generations of transformers read. */
export function rotaryToPublic(base: number, scaling: RotaryScaling | undefined): PublicConfig {
  return { rope_theta: base, rope_scaling: scaling ? scalingToPublic(scaling) : null };
}

function scalingToPublic(s: RotaryScaling): PublicConfig {
  const common = { rope_type: s.kind, factor: s.factor };
  if (s.kind === "linear" || s.kind === "dynamic") return common;
  const stretched = { ...common, original_max_position_embeddings: s.originalContextLength };
  if (s.kind === "llama3")
    return { ...stretched, low_freq_factor: s.lowFrequencyFactor, high_freq_factor: s.highFrequencyFactor };
  return {
    ...stretched,
    beta_fast: s.betaFast,
    beta_slow: s.betaSlow,
    ...optional("attention_factor", s.attentionFactor),
    ...(!s.truncate && { truncate: false }),
  };
}
