/** Generation: a model that writes, asked for one token after another. */
import { fail } from "../ir/index.js";
import { randomStream } from "../nn/index.js";
import type { Session } from "../runtime/index.js";
import type { Decoder } from "./decoder.js";
import { openRows } from "./rows.js";
import { type Choice, checkSampling, type SampleOptions, sample } from "./sample.js";

export interface GenerateOptions extends SampleOptions {
  /** The most tokens to add. */
  readonly tokens: number;
  /** Tokens that end the text; the one that did is not given out. */
  readonly stop?: readonly number[] | undefined;
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a text begins with, and for an encoder–decoder what it is written from. */
export interface Beginning {
  readonly prompt: readonly number[];
  readonly source?: readonly number[] | undefined;
}

/**
 * Continue a prompt, token by token. The same seed gives the same text. A text that outgrows the context forgets its older half.
 * Throws `config` for options out of range, and `data` for an empty prompt or a source longer than the context.
 */
export async function* generate(
  session: Session,
  decoder: Decoder,
  { prompt, source, ...options }: GenerateOptions & Beginning,
): AsyncGenerator<Choice> {
  for await (const [choice] of generateAll(session, decoder, { ...options, texts: [{ prompt, source }] }))
    yield choice!;
}

/**
 * Continue many texts side by side: at each step a choice for each, undefined once it has ended. Each draws from a stream of its own
 * of the same seed, so that it is what it would be alone.
 */
export async function* generateAll(
  session: Session,
  decoder: Decoder,
  {
    texts,
    tokens,
    stop = [],
    seed = 0,
    signal,
    ...options
  }: GenerateOptions & { readonly texts: readonly Beginning[] },
): AsyncGenerator<readonly (Choice | undefined)[]> {
  checkSampling(options);
  for (const text of texts) checkBeginning(text, decoder);
  if (tokens < 1 || signal?.aborted || !texts.length) return;
  const random = texts.map(() => randomStream(seed, "generate"));
  const prompts = texts.map(({ prompt }) => prompt);
  const sources = decoder.readsSource ? texts.map(({ source }) => source!) : undefined;
  const rows = await openRows(session, decoder, { prompts, sources, tokens });
  const ended = texts.map(() => false);
  try {
    for (let i = 1; ; i++) {
      const choices = rows.scores.map((scores, row) => {
        if (ended[row]) return undefined;
        const choice = sample(scores, random[row]!(), options);
        ended[row] = stop.includes(choice.id);
        return ended[row] ? undefined : choice;
      });
      if (!ended.includes(false)) return;
      yield choices;
      if (i >= tokens || signal?.aborted) return;
      await rows.push(choices.map((choice) => choice?.id));
    }
  } finally {
    await rows.close();
  }
}

function checkBeginning({ prompt, source }: Beginning, { readsSource, contextLength }: Decoder): void {
  if (!prompt.length) throw fail("data", "the prompt is empty", "give it a text, or start from the end-of-text token");
  if (!readsSource) return;
  if (!source?.length) throw fail("data", "the source is empty", "give the text that the model is to write from");
  if (source.length > contextLength)
    throw fail(
      "data",
      `a source of ${source.length} tokens is longer than the context of ${contextLength}`,
      "shorten it, or write from its parts",
    );
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
