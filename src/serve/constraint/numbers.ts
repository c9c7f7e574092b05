/** Numbers as JSON writes them, free or between whole bounds. */
import {
  characters,
  choice,
  type Expression,
  literal,
  nothing,
  oneOf,
  optional,
  repeat,
  sequence,
} from "./expression.js";

/** Whole bounds, infinite where there is none; `above` and `below` leave the bound itself out. */
export interface Bounds {
  readonly from: number;
  readonly to: number;
  readonly above: boolean;
  readonly below: boolean;
}

const between = (from: number, to: number) => characters([[48 + from, 48 + to]]);
const digits = (least: number, most: number) => repeat(between(0, 9), least, most);
const minus = literal("-");
/** Digits that a double can hold. */
const most = 15;
const whole = choice(literal("0"), sequence(between(1, 9), digits(0, most - 1)));
const fraction = sequence(literal("."), digits(1, most));

export const freeInteger: Expression = sequence(optional(minus), whole);
export const freeNumber: Expression = sequence(
  freeInteger,
  optional(fraction),
  optional(sequence(oneOf("eE"), optional(oneOf("+-")), digits(1, 2))),
);

/** Undefined where there is none. */
export function boundedInteger({ from, to, above, below }: Bounds): Expression | undefined {
  const [a, b] = [above ? from + 1 : from, below ? to - 1 : to];
  if (a > b) return undefined;
  const options: Expression[] = [];
  if (a < 0) options.push(sequence(minus, natural(Math.max(1, -b), -a)));
  if (b >= 0) options.push(natural(Math.max(0, a), b));
  return choice(...options);
}

/** Undefined where there is none. */
export function boundedNumber({ from, to, above, below }: Bounds): Expression | undefined {
  if (from > to || (from === to && (above || below))) return undefined;
  const options: Expression[] = [];
  // by size, with the sign in front; a fraction takes a number away from 0
  if (from < 0)
    options.push(sequence(minus, sized({ from: Math.max(0, -to), to: -from, above: to <= 0 && below, below: above })));
  if (to > 0 || (to === 0 && !below))
    options.push(sized({ from: Math.max(0, from), to, above: from >= 0 && above, below }));
  return choice(...options);
}

/** Numbers from a bound of at least 0. */
function sized({ from, to, above, below }: Bounds): Expression {
  const options: Expression[] = [];
  const zeros = optional(sequence(literal("."), repeat(literal("0"), 1, most)));
  if (from === to) return sequence(literal(`${from}`), zeros);
  // above a bound that is left out, some digit is not 0
  const some = sequence(literal("."), repeat(literal("0"), 0, most - 1), between(1, 9), digits(0, 3));
  options.push(sequence(literal(`${from}`), above ? some : optional(fraction)));
  if (from + 1 <= to - 1) options.push(sequence(natural(from + 1, to - 1), optional(fraction)));
  if (to !== Infinity && !below) options.push(sequence(literal(`${to}`), zeros));
  return choice(...options);
}

/** Whole numbers of at least 0. */
function natural(from: number, to: number): Expression {
  const first = `${from}`;
  if (to === Infinity)
    return first.length >= most
      ? natural(from, 10 ** most - 1)
      : choice(natural(from, 10 ** first.length - 1), sequence(between(1, 9), digits(first.length, most - 1)));
  const last = `${to}`;
  if (first.length < last.length) {
    const edge = 10 ** first.length;
    return choice(sameLength(first, `${edge - 1}`), natural(edge, to));
  }
  return sameLength(first, last);
}

/** Digits from one number to another of the same length. */
function sameLength(first: string, last: string): Expression {
  if (!first) return nothing;
  if (/^0+$/.test(first) && /^9+$/.test(last)) return digits(first.length, first.length);
  const [a, b] = [Number(first[0]), Number(last[0])];
  const [restA, restB] = [first.slice(1), last.slice(1)];
  if (a === b) return sequence(between(a, a), sameLength(restA, restB));
  const free = (from: number, to: number) =>
    from <= to ? [sequence(between(from, to), digits(restA.length, restA.length))] : [];
  return choice(
    sequence(between(a, a), sameLength(restA, "9".repeat(restA.length))),
    ...free(a + 1, b - 1),
    sequence(between(b, b), sameLength("0".repeat(restB.length), restB)),
  );
}
