/** What every source yields: rows of named fields, or documents of text, each knowing where it came from. */
import type { Split } from "./wordnet.js";

export interface Row {
  /** "file:line", or the place in a built-in source. */
  readonly at: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Set on a piece of a long text that is not its last. */
  readonly more?: boolean;
  /** The side it is on, in a source that has sides of its own. */
  readonly split?: Split;
}

/** A text, or a piece of a text too long to hold: then all pieces but the last say that there is `more`. */
export interface Document {
  readonly at: string;
  readonly text: string;
  readonly more?: boolean;
}
