/** What every model family gives: a config, a body, heads, and its names in the public checkpoint format. */
import type { z } from "zod";
import { i32, input, params, Scope, size, type Tensor } from "../ir/index.js";
import type { Cache, Noise } from "../nn/index.js";

export interface LanguageInputs {
  /** Token ids, i32 [B T]. */
  readonly ids: Tensor;
  /** i32 [B T]: 0 is padding, 1, 2, … the document within the row. Attention stays among equals. Absent: one document a row. */
  readonly segments?: Tensor | undefined;
  /** i32 [B T], from 0 in each document. Absent: 0, 1, … along the row. */
  readonly positions?: Tensor | undefined;
  /** BERT's token types, i32 [B T]. Absent: all 0. */
  readonly types?: Tensor | undefined;
  /** What a decoder that reads a source looks at. */
  readonly memory?: Memory | undefined;
  /** What a decoder keeps of earlier tokens; `positions` are then given. */
  readonly cache?: Cache | undefined;
  /** Present when training: what dropout draws from. */
  readonly dropout?: Noise | undefined;
}

/** A source as the encoder read it. */
export interface Memory {
  /** One vector per token of the source, [B S D]. */
  readonly hidden: Tensor;
  /** i32 [B S], as in `LanguageInputs`: a target looks at the source of its own segment. Absent: one source a row, no padding. */
  readonly segments?: Tensor | undefined;
}

/** How a sequence of vectors becomes one: the mean over real tokens, the first through the pooler, or the last real one. */
export type Pooling = "mean" | "cls" | "last";

/** The one size dial: `size` is the number of parameters wanted. */
export interface Dial {
  readonly size: number;
  readonly vocabSize: number;
  readonly contextLength: number;
}

/** What every config says. */
export interface ModelSizes {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly layers: number;
  readonly heads: number;
  readonly hiddenSize: number;
}

export interface Family<C extends ModelSizes> {
  readonly name: string;
  readonly summary: string;
  /** "seq2seq": an encoder reads a source, a decoder writes the target. */
  readonly objective: "causal" | "masked" | "seq2seq";
  /** Options, with defaults. */
  readonly config: z.ZodType<C>;
  readonly presets: Readonly<Record<string, C>>;
  /** The config nearest to a number of parameters; everything else follows from it. */
  derive(dial: Dial): C;
  /** Encoder–decoders: one vector per token of the source, [B S D], what `body` takes as `memory`. Throws `shape` as `body` does. */
  encode?(p: Scope, x: LanguageInputs, c: C): Tensor;
  /** One vector per token, [B T D]; an encoder–decoder's decoder. Throws `shape` when T exceeds the context. */
  body(p: Scope, x: LanguageInputs, c: C): Tensor;
  /** Scores over the vocabulary, [N D] -> [N V]; tied embeddings are found in the scope `body` was built in. */
  logits(p: Scope, hidden: Tensor, c: C): Tensor;
  /** The ways this family pools, its default first. */
  readonly poolings: readonly Pooling[];
  /** One vector per row, [B T D] -> [B D]; `segments` i32 [B T] says which tokens are real. */
  pooled(p: Scope, hidden: Tensor, o: { segments: Tensor; pooling: Pooling }, c: C): Tensor;
  /** The parts that a public classifier of texts has beside the body, pooled by `cls`; the last maps to classes. `classifier` if absent. */
  classifierParts?(c: C): readonly string[];
  /** Whether weight decay applies: matrices, not norms and biases. */
  decays(name: string): boolean;
  /** Does a public config.json describe this family? */
  recognises(json: PublicConfig): boolean;
  /** From a public config.json. Throws `config` when it asks for something this family does not have. */
  fromPublic(json: PublicConfig): C;
  /** To a public config.json that `transformers` loads (variants it does not know keep a model_type of their own). */
  toPublic(c: C): PublicConfig;
  /** The graph's name for a tensor of a public checkpoint; undefined for one that is not a parameter here (a buffer, a tied copy). */
  fromPublicName(name: string, c: C): string | undefined;
  /** The public checkpoint's name for one of the graph's parameters. */
  toPublicName(name: string, c: C): string;
}
export type PublicConfig = Readonly<Record<string, unknown>>;

/** What the family makes of a source, where it has an encoder. Its inputs are the encoder's. */
export function memoryOf<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, ...source }: LanguageInputs & { readonly p: Scope },
): Memory | undefined {
  return family.encode && { hidden: family.encode(p, source, config), segments: source.segments };
}

/** One vector per token of a text that is read, [B T D]: by the encoder of an encoder–decoder, else by the body. */
export const read = <C extends ModelSizes>(
  family: Family<C>,
  config: C,
  { p, ...x }: LanguageInputs & { readonly p: Scope },
): Tensor => (family.encode ?? family.body)(p, x, config);

/** Every parameter of a model: its body and its language-model head. */
export function parametersOf<C extends ModelSizes>(family: Family<C>, config: C): Tensor[] {
  const p = new Scope();
  const ids = input("ids", i32([1, 1]));
  const hidden = family.body(p, { ids, memory: memoryOf(family, config, { p, ids }) }, config);
  return params([family.logits(p, hidden.reshape([1, hidden.shape[2]!]), config)]);
}

/** The number of parameters of a model, head included. */
export const parameterCount = <C extends ModelSizes>(family: Family<C>, config: C): number =>
  parametersOf(family, config).reduce((sum, t) => sum + size(t.shape), 0);

/** A config as lines of `name value`, with its number of parameters: what the size dial prints. */
export function describe<C extends ModelSizes>(family: Family<C>, config: C): string {
  const rows = Object.entries({ parameters: parameterCount(family, config), ...config });
  const text = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return rows.map(([name, value]) => `${name.padEnd(18)} ${text(value)}`).join("\n");
}
