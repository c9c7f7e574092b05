/** What a text begins with, and what ends it. */
import { fail } from "../ir/index.js";
import type { Constraint } from "./constraint/index.js";
import type { Decoder } from "./decoder.js";

/** What a text begins with, and for an encoder–decoder what it is written from. */
export interface Beginning {
  readonly prompt: readonly number[];
  readonly source?: readonly number[] | undefined;
  /** No text stands before what is written, only special tokens. */
  readonly fresh?: boolean | undefined;
}

export interface EndOptions {
  /** The most tokens to add. */
  readonly tokens: number;
  /** Tokens that end the text; the one that did is not given out. */
  readonly stop?: readonly number[] | undefined;
  /** Whether the ids written so far end the text for another reason, such as a string that stands in it. */
  ends?(written: readonly number[], row: number): boolean | Promise<boolean>;
  /** What the text must be. It is, also where the number of tokens ends it; what was aborted is the beginning of such a text. */
  readonly constraint?: Constraint | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Throws `data` for an empty prompt and for a source that is empty or longer than the context. */
export function checkBeginning({ prompt, source }: Beginning, { readsSource, contextLength }: Decoder): void {
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
