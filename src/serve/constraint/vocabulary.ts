/** The tokens of a vocabulary in the order of their bytes, so that what begins alike is looked at once. */
import type { Automaton } from "./automaton.js";

export interface Vocabulary {
  /** Tokens that may follow a state, and the states after them. */
  movesFrom(automaton: Automaton, state: number): Moves;
  /** How many bytes the tokens have that stand at this place of a text of bytes. */
  lengthsAt(bytes: readonly number[], from: number): number[];
}

export interface Moves {
  readonly ids: Int32Array;
  readonly targets: Int32Array;
}

/** Of texts by id. A token without text is left out: it would be written without end. */
export function vocabularyOf(texts: readonly (Uint8Array | undefined)[]): Vocabulary {
  // one letter a byte: what compares letters compares bytes
  const tokens = texts.flatMap((bytes, id) =>
    bytes?.length ? [{ id, text: Buffer.from(bytes).toString("latin1") }] : [],
  );
  tokens.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : a.id - b.id));
  const shared = Int32Array.from(tokens, ({ text }, i) => (i ? common(tokens[i - 1]!.text, text) : 0));
  const known = new Set(tokens.map(({ text }) => text));
  const longest = tokens.reduce((most, { text }) => Math.max(most, text.length), 0);
  return {
    movesFrom({ step }, state) {
      const [ids, targets]: [number[], number[]] = [[], []];
      // states after each byte of the last token, up to where it could not go on
      const states = [state];
      let stuck = Infinity;
      for (const [i, { id, text }] of tokens.entries()) {
        if (shared[i]! >= stuck) continue;
        stuck = Infinity;
        for (let at = shared[i]!; at < text.length; at++) {
          const next = step(states[at]!, text.charCodeAt(at));
          if (next < 0) {
            stuck = at + 1;
            break;
          }
          states[at + 1] = next;
        }
        if (stuck < Infinity) continue;
        ids.push(id);
        targets.push(states[text.length]!);
      }
      return { ids: Int32Array.from(ids), targets: Int32Array.from(targets) };
    },
    lengthsAt(bytes, from) {
      const found: number[] = [];
      let text = "";
      for (let at = from; at < bytes.length && text.length < longest; at++) {
        text += String.fromCharCode(bytes[at]!);
        if (known.has(text)) found.push(text.length);
      }
      return found;
    },
  };
}

/** How many letters two texts begin with alike. */
function common(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at;
}
