/** Texts that a model writes, from their prompts: the same rule in training samples and in use. */
import type { Tokenizer } from "../data/index.js";
import type { Session } from "../runtime/index.js";
import {
  type BeamOptions,
  type Beginning,
  beamSearch,
  type Decoder,
  type GenerateOptions,
  generateAll,
  type Writer,
  writer,
} from "../serve/index.js";

/** What is written on, or by an encoder–decoder what is written from. */
export interface Prompt {
  readonly text: string;
  /** A chat that was rendered: its special tokens are in it. */
  readonly rendered?: boolean | undefined;
}

export interface Writing extends Omit<GenerateOptions, "ends"> {
  /** Above 1: nothing is drawn, but the best of so many beams is given out, when it is whole. */
  readonly beams?: number | undefined;
  readonly lengthPenalty?: BeamOptions["lengthPenalty"];
  readonly earlyStopping?: BeamOptions["earlyStopping"];
  /** Whether a text begins with the end-of-text token, as documents did in training. */
  readonly begins: boolean;
  /** What an encoder–decoder's text begins with; its tokeniser's padding if absent. */
  readonly start?: number | undefined;
  /** Texts that end a text; nothing of them is given out. */
  readonly stops?: readonly string[] | undefined;
  /** What a user should know, in words. */
  readonly note?: ((text: string) => void) | undefined;
}

/** How a piece of writing ended, and what it cost. */
export interface Written {
  readonly text: string;
  readonly tokens: number;
  /** Until the last of the texts that were written together. */
  readonly seconds: number;
  /** The model or a stop string ended it, it reached the number of tokens asked for, or it was aborted. */
  readonly ended: "stop" | "length" | "aborted";
}

/** A piece of one of the texts. */
export interface Piece {
  readonly index: number;
  readonly piece: string;
}

/** The ids a model is given: an empty prompt is the token that begins a text. */
async function beginning(
  { readsSource }: Decoder,
  tokenizer: Tokenizer,
  { text, rendered = false }: Prompt,
  { begins, start }: Pick<Writing, "begins" | "start">,
): Promise<Beginning> {
  const { bos, eos, pad } = tokenizer.special;
  if (readsSource) {
    const source = [...(await tokenizer.encode(text, { specials: true }))];
    const first = start ?? pad ?? bos;
    return { source, prompt: first === undefined ? [] : [first], fresh: true };
  }
  const ids = [...(await tokenizer.encode(text))];
  const first = bos ?? eos;
  // what stands behind a text, such as BERT's [SEP], is not put there: the text goes on
  const taught = begins || (bos !== undefined && (await tokenizer.encode(text, { specials: true }))[0] === bos);
  const missing = !ids.length || (taught && !rendered && ids[0] !== first);
  const prompt = missing && first !== undefined ? [first, ...ids] : ids;
  return { prompt, fresh: prompt.every(tokenizer.isSpecial) };
}

/** Write on from a prompt: pieces of text as they come, without the prompt; then how it ended. */
export async function* write(
  session: Session,
  decoder: Decoder,
  tokenizer: Tokenizer,
  { prompt, ...o }: Writing & { readonly prompt: string | Prompt },
): AsyncGenerator<string, Written> {
  const prompts = [typeof prompt === "string" ? { text: prompt } : prompt];
  const pieces = writeAll(session, decoder, tokenizer, { ...o, prompts });
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return value[0]!;
    yield value.piece;
  }
}

/** A text so far. */
interface Draft {
  readonly writer: Writer;
  text: string;
  tokens: number;
}

/** Write many texts side by side: pieces as they come; then how each ended. */
export async function* writeAll(
  session: Session,
  decoder: Decoder,
  tokenizer: Tokenizer,
  { prompts, begins, start, stops, note, ...o }: Writing & { readonly prompts: readonly Prompt[] },
): AsyncGenerator<Piece, Written[]> {
  const from = performance.now();
  const { eos } = tokenizer.special;
  const stop = [...new Set([...(eos === undefined ? [] : [eos]), ...(o.stop ?? [])])];
  const texts = await Promise.all(prompts.map((prompt) => beginning(decoder, tokenizer, prompt, { begins, start })));
  for (const { prompt } of texts)
    if (prompt.length > decoder.contextLength)
      note?.(
        `a prompt of ${prompt.length} tokens: only its last ${decoder.contextLength} are read, the model's context`,
      );
  const open = ({ prompt }: Beginning) =>
    writer({ decode: (ids) => tokenizer.decode(ids), before: prompt.filter((id) => !tokenizer.isSpecial(id)), stops });
  const drafts = texts.map((text): Draft => ({ writer: open(text), text: "", tokens: 0 }));
  const add = (index: number, piece: string): Piece[] => {
    drafts[index]!.text += piece;
    return piece ? [{ index, piece }] : [];
  };
  if ((o.beams ?? 1) > 1) {
    for (const [index, text] of texts.entries()) {
      if (o.signal?.aborted) break;
      const { ids } = await searched(session, decoder, {
        ...o,
        ...text,
        stop,
        beams: o.beams!,
        ...(stops?.length && { open: () => open(text) }),
      });
      drafts[index]!.tokens = ids.length;
      for (const id of ids) yield* add(index, await drafts[index]!.writer.push(id));
    }
  } else {
    const ends = (_: readonly number[], row: number) => drafts[row]!.writer.stopped;
    for await (const choices of generateAll(session, decoder, { ...o, texts, stop, ends }))
      for (const [index, choice] of choices.entries()) {
        if (!choice) continue;
        drafts[index]!.tokens++;
        yield* add(index, await drafts[index]!.writer.push(choice.id));
      }
  }
  for (const [index, { writer }] of drafts.entries()) yield* add(index, await writer.end());
  const seconds = (performance.now() - from) / 1000;
  return drafts.map(({ writer, text, tokens }) => {
    const early = o.signal?.aborted ? "aborted" : "stop";
    return { text, tokens, seconds, ended: writer.stopped ? "stop" : tokens < o.tokens ? early : "length" };
  });
}

/** The best of the beams; a stop string ends one, where there are any: `open` reads a beam as text. */
async function searched(
  session: Session,
  decoder: Decoder,
  { open, ...o }: BeamOptions & Beginning & { readonly open?: () => Writer },
) {
  const ends =
    open &&
    (async (ids: readonly number[]) => {
      const again = open();
      for (const id of ids) await again.push(id);
      return again.stopped;
    });
  const [best] = await beamSearch(session, decoder, { ...o, ...(ends && { ends }) });
  return best ?? { ids: [] };
}
