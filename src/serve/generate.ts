/** Generation: a model that writes, asked for one token after another. */
import { randomStream } from "../nn/index.js";
import type { Session } from "../runtime/index.js";
import type { Decoder } from "./decoder.js";
import { type Beginning, checkBeginning, type EndOptions } from "./ends.js";
import { checkPenalties, type PenaltyOptions, penalised } from "./penalties.js";
import { openRows } from "./rows.js";
import { checkSampling, logSum, type SampleOptions, sample } from "./sample.js";

/** Scores are changed by penalties, then by the constraint, then drawn from by temperature, topK, topP and minP, in this order. */
export interface GenerateOptions extends PenaltyOptions, EndOptions, SampleOptions {
  readonly seed?: number | undefined;
}

export interface Choice {
  readonly id: number;
  /** Natural logarithm of the model's own probability of the token, before anything is changed or cut. */
  readonly logProbability: number;
}

/**
 * Continue a prompt, token by token. The same seed gives the same text. A text that outgrows the context forgets its older half.
 * Throws `config` for options out of range, and `data` for an empty prompt or a source longer than the context.
 */
export async function* generate(
  session: Session,
  decoder: Decoder,
  { prompt, source, fresh, ...options }: GenerateOptions & Beginning,
): AsyncGenerator<Choice> {
  for await (const [choice] of generateAll(session, decoder, { ...options, texts: [{ prompt, source, fresh }] }))
    yield choice!;
}

/** A text that is being written, and where it is in what it must be. */
interface Draft {
  readonly prompt: readonly number[];
  readonly written: number[];
  readonly random: () => number;
  state: number;
  ended: boolean;
}

/**
 * Continue many texts side by side: at each step a choice for each, undefined once it has ended. Each draws from a stream of its own
 * of the same seed, so that it is what it would be alone.
 */
export async function* generateAll(
  session: Session,
  decoder: Decoder,
  { texts, ...o }: GenerateOptions & { readonly texts: readonly Beginning[] },
): AsyncGenerator<readonly (Choice | undefined)[]> {
  const { tokens, constraint, seed = 0, signal } = o;
  checkSampling(o);
  checkPenalties(o);
  for (const text of texts) checkBeginning(text, decoder);
  if (tokens < 1 || signal?.aborted || !texts.length) return;
  const drafts = texts.map(({ prompt, fresh = false }): Draft => {
    const state = constraint?.begin({ fresh, tokens }) ?? 0;
    return { prompt, written: [], random: randomStream(seed, "generate"), state, ended: false };
  });
  const prompts = texts.map(({ prompt }) => prompt);
  const sources = decoder.readsSource ? texts.map(({ source }) => source!) : undefined;
  const rows = await openRows(session, decoder, { prompts, sources, tokens });
  try {
    for (let i = 1; ; i++) {
      const choices = drafts.map((draft, row) => (draft.ended ? undefined : choose(draft, rows.scores[row]!, o)));
      if (choices.every((choice) => choice === undefined)) return;
      yield choices;
      if (i >= tokens || signal?.aborted) return;
      for (const [row, draft] of drafts.entries())
        if (choices[row] && (constraint?.complete(draft.state) || (await o.ends?.(draft.written, row))))
          draft.ended = true;
      if (drafts.every(({ ended }) => ended)) return;
      await rows.push(choices.map((choice, row) => (drafts[row]!.ended ? undefined : choice?.id)));
    }
  } finally {
    await rows.close();
  }
}

/** The next token of a text, which takes it; undefined where it ends the text instead. */
function choose(draft: Draft, scores: Float32Array, o: GenerateOptions): Choice | undefined {
  const { tokens, stop = [], constraint } = o;
  const sum = logSum(scores);
  const changed = penalised(scores, draft, { ...o, stop });
  constraint?.restrict(changed, { state: draft.state, left: tokens - draft.written.length, stop });
  const id = sample(changed, draft.random(), o);
  draft.ended = stop.includes(id);
  if (draft.ended) return undefined;
  draft.written.push(id);
  if (constraint) draft.state = constraint.after(draft.state, id);
  return { id, logProbability: scores[id]! - sum };
}
