/** Text that a causal model writes on, from its prompt: the same rule in training samples and in use. */
import type { Tokenizer } from "../data/index.js";
import type { Session } from "../runtime/index.js";
import { type Decoder, type GenerateOptions, generate, text } from "../serve/index.js";

export interface Writing extends Omit<GenerateOptions, "stop"> {
  readonly prompt: string;
  /** Whether a text begins with the end-of-text token, as documents did in training. */
  readonly begins: boolean;
}

/** How a piece of writing ended, and what it cost. */
export interface Written {
  readonly text: string;
  readonly tokens: number;
  readonly seconds: number;
  /** The model ended it, or it reached the number of tokens asked for (or was stopped). */
  readonly ended: "stop" | "length";
}

/** The ids a model is given: an empty prompt is the token that begins a text. */
async function promptIds(tokenizer: Tokenizer, prompt: string, begins: boolean): Promise<number[]> {
  const { bos, eos } = tokenizer.special;
  const start = bos ?? eos;
  const ids = [...(await tokenizer.encode(prompt))];
  return start !== undefined && (begins || !ids.length) ? [start, ...ids] : ids;
}

/** Write on from a prompt: pieces of text as they come, without the prompt; then how it ended. */
export async function* write(
  session: Session,
  decoder: Decoder,
  tokenizer: Tokenizer,
  { prompt, begins, ...options }: Writing,
): AsyncGenerator<string, Written> {
  const { eos } = tokenizer.special;
  const from = performance.now();
  let tokens = 0;
  let written = "";
  const choices = generate(session, decoder, {
    ...options,
    prompt: await promptIds(tokenizer, prompt, begins),
    ...(eos !== undefined && { stop: [eos] }),
  });
  async function* counted() {
    for await (const choice of choices) {
      tokens++;
      yield choice;
    }
  }
  for await (const piece of text(counted(), (ids) => tokenizer.decode(ids))) {
    written += piece;
    yield piece;
  }
  const ended = tokens < options.tokens && !options.signal?.aborted ? "stop" : "length";
  return { text: written, tokens, seconds: (performance.now() - from) / 1000, ended };
}
