/** Generation: a causal model, asked for one token after another. */
import { fail, i32, input, nd, type Program, Scope, type Tensor } from "../ir/index.js";
import type { Family, ModelSizes } from "../models/index.js";
import { randomStream } from "../nn/index.js";
import type { Session } from "../runtime/index.js";
import { type Choice, checkSampling, type SampleOptions, sample } from "./sample.js";

/** Programs that give the scores of the next token: one for each length of a few, each compiled once. */
export interface NextToken {
  readonly contextLength: number;
  /** Inputs `ids` i32[1, length] and `last` i32[1], the place of the last token; output `scores` f32[1, V]. */
  program(length: number): Program;
}

/**
 * A causal model as `generate` runs it. `rewrite` may change the graph, as an adapter does.
 * Throws `config` for a family that does not predict the next token.
 */
export function nextToken<C extends ModelSizes>(
  family: Family<C>,
  config: C,
  rewrite: (roots: readonly Tensor[]) => readonly Tensor[] = (roots) => roots,
): NextToken {
  if (family.objective !== "causal")
    throw fail(
      "config",
      `a ${family.name} model fills in masked words and cannot write on`,
      "generate with a gpt model",
    );
  const programs = new Map<number, Program>();
  const build = (length: number): Program => {
    const p = new Scope();
    const hidden = family.body(p, { ids: input("ids", i32([1, length])) }, config);
    const last = hidden.reshape([length, config.hiddenSize]).gather(input("last", i32([1])));
    return { outputs: { scores: rewrite([family.logits(p, last, config)])[0]! }, next: {} };
  };
  return {
    contextLength: config.contextLength,
    program(length) {
      const known = programs.get(length) ?? build(length);
      programs.set(length, known);
      return known;
    },
  };
}

export interface GenerateOptions extends SampleOptions {
  /** The most tokens to add. */
  readonly tokens: number;
  /** Tokens that end the text; the one that did is not given out. */
  readonly stop?: readonly number[] | undefined;
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Continue a prompt, token by token. The same seed gives the same text. Once the text is longer than the context,
 * the model sees its last `contextLength` tokens. Throws `config` for options out of range and `data` for an empty prompt.
 */
export async function* generate(
  session: Session,
  model: NextToken,
  { prompt, tokens, stop = [], seed = 0, signal, ...options }: GenerateOptions & { readonly prompt: readonly number[] },
): AsyncGenerator<Choice> {
  checkSampling(options);
  if (!prompt.length) throw fail("data", "the prompt is empty", "give it a text, or start from the end-of-text token");
  const random = randomStream(seed, "generate");
  const seen = prompt.slice(-model.contextLength);
  for (let i = 0; i < tokens && !signal?.aborted; i++) {
    const choice = sample(await scores(session, model, seen), random(), options);
    if (stop.includes(choice.id)) return;
    yield choice;
    seen.push(choice.id);
    if (seen.length > model.contextLength) seen.shift();
  }
}

const shortest = 16;
/** Scores of what follows `ids`, which fill the front of a row of the next power of two: what follows cannot be seen. */
async function scores(session: Session, model: NextToken, ids: readonly number[]): Promise<Float32Array> {
  const length = Math.min(Math.max(2 ** Math.ceil(Math.log2(ids.length)), shortest), model.contextLength);
  const row = Array.from({ length }, (_, i) => ids[i] ?? 0);
  const out = await session.run(model.program(length), {
    ids: nd("i32", [1, length], row),
    last: nd("i32", [1], [ids.length - 1]),
  });
  return out["scores"]!.data as Float32Array;
}

/** Tokens as text, as soon as whole characters are there: a character may need several tokens. */
export async function* text(
  choices: AsyncIterable<Choice>,
  decode: (ids: readonly number[]) => string | Promise<string>,
): AsyncGenerator<string> {
  // decoding starts a little before what is new: a token's text may depend on the one before it
  const ids: number[] = [];
  let [from, given] = [0, 0];
  const fresh = async () => {
    const [all, old] = [await decode(ids.slice(from)), given > from ? await decode(ids.slice(from, given)) : ""];
    return all.slice(old.length);
  };
  for await (const { id } of choices) {
    ids.push(id);
    const piece = await fresh();
    if (!piece || piece.endsWith("\ufffd")) continue;
    yield piece;
    [from, given] = [given, ids.length];
  }
  const rest = given < ids.length ? await fresh() : "";
  if (rest) yield rest;
}
