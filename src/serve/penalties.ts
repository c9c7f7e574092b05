/** What is done to the scores of tokens before one is chosen: by what the text already says, and by token. */
import { fail } from "../ir/index.js";

/** Applied in this order, which is that of transformers. */
export interface PenaltyOptions {
  /** Added to the scores of tokens, by id; -Infinity forbids one. */
  readonly logitBias?: Readonly<Record<number, number>> | undefined;
  /** Scores of tokens that are in the prompt or the text are divided by it where above 0, else multiplied (CTRL, Keskar et al. 2019). */
  readonly repetitionPenalty?: number | undefined;
  /** Taken from the scores of tokens that are in the text, the prompt not counted, once (OpenAI's API). */
  readonly presencePenalty?: number | undefined;
  /** The same, as often as the token is there. */
  readonly frequencyPenalty?: number | undefined;
  /** No so many tokens in a row come twice, prompt and text taken together. */
  readonly noRepeatNgram?: number | undefined;
  /** The text does not end before it has so many tokens. */
  readonly minTokens?: number | undefined;
}

/** A text that is being written. */
export interface Draft {
  readonly prompt: readonly number[];
  readonly written: readonly number[];
}

/** Throws `config` for an option that is out of range. */
export function checkPenalties({
  logitBias = {},
  repetitionPenalty = 1,
  presencePenalty = 0,
  frequencyPenalty = 0,
  noRepeatNgram = 1,
  minTokens = 0,
}: PenaltyOptions): void {
  if (!(repetitionPenalty > 0 && repetitionPenalty < Infinity))
    throw fail("config", `repetitionPenalty is ${repetitionPenalty}`, "above 1 repeats less, 1 is the model's own way");
  for (const [name, value] of Object.entries({ presencePenalty, frequencyPenalty }))
    if (!Number.isFinite(value)) throw fail("config", `${name} is ${value}`, "above 0 repeats less, 0 is off");
  if (!(Number.isInteger(noRepeatNgram) && noRepeatNgram >= 1))
    throw fail(
      "config",
      `noRepeatNgram is ${noRepeatNgram}`,
      "how many tokens in a row come once: a whole number from 1",
    );
  if (!(Number.isInteger(minTokens) && minTokens >= 0))
    throw fail("config", `minTokens is ${minTokens}`, "a whole number from 0");
  for (const [id, bias] of Object.entries(logitBias))
    if (Number.isNaN(bias) || bias === Infinity || !/^\d+$/.test(id))
      throw fail("config", `the bias of token ${id} is ${bias}`, "numbers by token id, -Infinity to forbid one");
}

/** Scores [V] of what may follow, changed as asked, in a new array; `stop` are the ids that end a text. */
export function penalised(
  scores: Float32Array,
  { prompt, written }: Draft,
  { stop = [], ...o }: PenaltyOptions & { readonly stop?: readonly number[] | undefined },
): Float32Array {
  const out = scores.slice();
  const change = (id: number, to: number) => {
    if (id < out.length) out[id] = to;
  };
  for (const [id, bias] of Object.entries(o.logitBias ?? {})) change(Number(id), out[Number(id)]! + bias);
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = o;
  if (repetitionPenalty !== 1)
    for (const id of new Set([...prompt, ...written]))
      change(id, out[id]! < 0 ? out[id]! * repetitionPenalty : out[id]! / repetitionPenalty);
  if (presencePenalty || frequencyPenalty) {
    for (const id of new Set(written)) change(id, out[id]! - presencePenalty);
    for (const id of written) change(id, out[id]! - frequencyPenalty);
  }
  if (o.noRepeatNgram) for (const id of wouldRepeat([...prompt, ...written], o.noRepeatNgram)) change(id, -Infinity);
  if (written.length < (o.minTokens ?? 0)) for (const id of stop) change(id, -Infinity);
  return out;
}

/** The ids after which the last `length` tokens stand in the text already. */
function* wouldRepeat(ids: readonly number[], length: number): Generator<number> {
  const last = ids.length - (length - 1);
  for (let at = 0; at + length <= ids.length; at++) {
    let same = 0;
    while (same < length - 1 && ids[at + same] === ids[last + same]) same++;
    if (same === length - 1) yield ids[at + length - 1]!;
  }
}
