/** What a text must be, token by token: which tokens may follow, so that it can still be ended in the tokens that are left. */
import { fail } from "../../ir/index.js";
import { type Automaton, automatonOf } from "./automaton.js";
import type { Expression } from "./expression.js";
import { type Moves, type Vocabulary, vocabularyOf } from "./vocabulary.js";

/** The texts of a vocabulary's tokens. */
export interface Pieces {
  /** UTF-8 by token id; undefined for an id that is no text. */
  readonly bytes: readonly (Uint8Array | undefined)[];
  /** The decoder takes a space from the front of a text. */
  readonly stripsSpace: boolean;
}

/** Where a text is in what it must be is a number. */
export interface Constraint {
  /** Where a text begins; `fresh` when nothing stands before it. Throws `config` when no text fits in so many tokens. */
  begin(o: { readonly fresh: boolean; readonly tokens: number }): number;
  /** Sets the scores of tokens that may not follow to -Infinity. With `left` tokens, the one that follows counted, an end can be reached. */
  restrict(
    scores: Float32Array,
    o: { readonly state: number; readonly left: number; readonly stop: readonly number[] },
  ): void;
  after(state: number, id: number): number;
  /** Nothing may follow: the text is whole. */
  complete(state: number): boolean;
}

const mostMoves = 64;
/** The state of a text before whose first token nothing stands, for decoders that take a space from there. */
const bare = -1;

/** Throws `config` for an expression that is too large, or that no text of these pieces fits; `at` names it. */
export function constraintOf(e: Expression, pieces: Pieces, at: string): Constraint {
  const usable = new Uint8Array(256);
  for (const bytes of pieces.bytes) for (const byte of bytes ?? []) usable[byte] = 1;
  const automaton = automatonOf(e, { usable, at });
  const vocabulary = vocabularyOf(pieces.bytes);
  const first = pieces.stripsSpace ? vocabularyOf(pieces.bytes.map(withoutSpace)) : vocabulary;
  const known = new Map<number, Moves>();
  const movesFrom = (state: number) =>
    state === bare ? first.movesFrom(automaton, automaton.start) : vocabulary.movesFrom(automaton, state);
  const moves = (state: number): Moves => {
    const found = known.get(state) ?? movesFrom(state);
    known.delete(state);
    known.set(state, found);
    if (known.size > mostMoves) known.delete(known.keys().next().value!);
    return found;
  };
  const needed = shortest(automaton, vocabulary, usable);
  const ended = (state: number) => automaton.distance(state === bare ? automaton.start : state) === 0;
  const least = (state: number) => {
    if (state !== bare) return needed(state);
    if (ended(state)) return 0;
    return 1 + moves(state).targets.reduce((least, target) => Math.min(least, needed(target)), Infinity);
  };
  return {
    begin({ fresh, tokens }) {
      const state = fresh && pieces.stripsSpace ? bare : automaton.start;
      const wanted = least(state);
      if (wanted === Infinity)
        throw fail(
          "config",
          "the tokeniser has no tokens for a text that fits the constraint",
          "change one of them",
          at,
        );
      if (wanted > tokens)
        throw fail(
          "config",
          `a text that fits the constraint may take ${wanted} tokens, and only ${tokens} are allowed`,
          `allow at least ${wanted}`,
          at,
        );
      return state;
    },
    restrict(scores, { state, left, stop }) {
      const { ids, targets } = moves(state);
      const allowed = new Uint8Array(scores.length);
      ids.forEach((id, i) => {
        if (id < scores.length && needed(targets[i]!) < left) allowed[id] = 1;
      });
      for (const id of stop) allowed[id] = ended(state) ? 1 : 0;
      allowed.forEach((may, id) => {
        if (!may) scores[id] = -Infinity;
      });
    },
    after(state, id) {
      const bytes = pieces.bytes[id]!;
      const read = state === bare ? withoutSpace(bytes)! : bytes;
      return read.reduce((at, byte) => automaton.step(at, byte), state === bare ? automaton.start : state);
    },
    complete: (state) => ended(state) && moves(state).ids.length === 0,
  };
}

const withoutSpace = (bytes: Uint8Array | undefined) => (bytes?.[0] === 32 ? bytes.subarray(1) : bytes);

/**
 * How many tokens end a text from each state at the most: those of the shortest text by bytes. Of one state there is one such text,
 * whose rest is that of the states it passes, so that whoever takes its tokens needs one less each time.
 */
function shortest(
  { step, distance }: Automaton,
  vocabulary: Vocabulary,
  usable: Uint8Array,
): (state: number) => number {
  const known: number[] = [];
  const nextByte = (state: number) => {
    const far = distance(state);
    for (let byte = 0; byte < 256; byte++) {
      const next = usable[byte] ? step(state, byte) : -1;
      if (next >= 0 && distance(next) === far - 1) return [byte, next] as const;
    }
    return undefined;
  };
  return (from) => {
    if (known[from] !== undefined) return known[from];
    const states = [from];
    const bytes: number[] = [];
    while (distance(states.at(-1)!) > 0) {
      const move = nextByte(states.at(-1)!);
      if (!move) break;
      bytes.push(move[0]);
      states.push(move[1]);
    }
    for (let i = states.length - 1; i >= 0; i--) {
      if (known[states[i]!] !== undefined) continue;
      let least = i === bytes.length ? 0 : Infinity;
      for (const length of vocabulary.lengthsAt(bytes, i)) least = Math.min(least, 1 + known[states[i + length]!]!);
      known[states[i]!] = least;
    }
    return known[from]!;
  };
}
