/** Regular expressions in JavaScript's notation, read as the set of texts that they match. */
import { fail, type PlinthError } from "../../ir/index.js";
import {
  characters,
  choice,
  complement,
  type Expression,
  intersection,
  lastCodePoint,
  literal,
  type Range,
  repeat,
  sequence,
} from "./expression.js";

const longest = 20_000;
const deepest = 100;

export interface Pattern {
  readonly expression: Expression;
  /** It begins with ^, and it ends with $. */
  readonly anchored: readonly [start: boolean, end: boolean];
}

/**
 * A regular expression. Throws `config` for one that is none, and for what is not a matter of sets of texts: looking around, back
 * references, word boundaries, and ^ or $ elsewhere than at its ends.
 */
export function parsePattern(source: string, at: string): Pattern {
  if (source.length > longest)
    throw fail("config", `a regular expression of ${source.length} characters`, `at most ${longest}`, at);
  try {
    new RegExp(source, "u");
  } catch (error) {
    throw fail("config", (error as Error).message, "JavaScript's notation, with the flag u", at);
  }
  const anchored = [source.startsWith("^"), /(^|[^\\])(\\\\)*\$$/.test(source)] as const;
  const inner = source.slice(anchored[0] ? 1 : 0, anchored[1] ? -1 : undefined);
  const reader = new Reader(inner, at);
  const expression = reader.choice(0);
  // ^a|b$ anchors each side by itself
  if ((anchored[0] || anchored[1]) && expression.kind === "choice" && expression.options.length > 1 && reader.split)
    throw reader.refuse("^ or $ beside |", "put the alternatives in parentheses: ^(a|b)$");
  return { expression, anchored };
}

const digit: Range[] = [[48, 57]];
const word: Range[] = [...digit, [65, 90], [95, 95], [97, 122]];
const space: Range[] = [
  [9, 13],
  [32, 32],
  [160, 160],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const lineEnds: Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];
const classes: Record<string, Range[]> = {
  d: digit,
  D: complement(digit),
  w: word,
  W: complement(word),
  s: space,
  S: complement(space),
};
const controls: Record<string, number> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };

/** Reads what the runtime has found to be well-formed. */
class Reader {
  private i = 0;
  /** Whether the outermost level has alternatives. */
  split = false;

  constructor(
    private readonly source: string,
    private readonly at: string,
  ) {}

  refuse(what: string, help: string): PlinthError {
    return fail("config", `a constraint cannot have ${what}`, help, `${this.at}: ${this.source}`);
  }

  choice(depth: number): Expression {
    if (depth > deepest) throw this.refuse(`more than ${deepest} parentheses in each other`, "use fewer");
    const options: Expression[] = [];
    do {
      const parts: Expression[] = [];
      while (this.i < this.source.length && !"|)".includes(this.source[this.i]!)) parts.push(this.repeated(depth));
      options.push(parts.length === 1 ? parts[0]! : sequence(...parts));
    } while (this.take("|"));
    if (depth === 0 && options.length > 1) this.split = true;
    return options.length === 1 ? options[0]! : choice(...options);
  }

  private take(text: string): boolean {
    const found = this.source.startsWith(text, this.i);
    if (found) this.i += text.length;
    return found;
  }

  /** What a sticky expression matches here, read over. */
  private match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.i;
    const found = expression.exec(this.source);
    if (found) this.i += found[0].length;
    return found;
  }

  private repeated(depth: number): Expression {
    const what = this.single(depth);
    const found = this.match(/(?:([*+?])|\{(\d+)(,(\d*))?\})\??/y);
    if (!found) return what;
    const [, sign, least, range, most] = found;
    if (sign) return repeat(what, sign === "+" ? 1 : 0, sign === "?" ? 1 : Infinity);
    return repeat(what, Number(least), range ? (most ? Number(most) : Infinity) : Number(least));
  }

  private single(depth: number): Expression {
    if (this.match(/\(\?<?[=!]/y)) throw this.refuse("a part that looks ahead or back", "say it with what is written");
    if (this.match(/\((\?:|\?<[^>]*>)?(?!\?)/y)) {
      const inner = this.choice(depth + 1);
      this.take(")");
      return inner;
    }
    if (this.match(/\(\?/y)) throw this.refuse("flags of its own", "spell out the letters: [aA]");
    if (this.take("[")) return characters(this.set());
    if (this.take(".")) return characters(complement(lineEnds));
    if (this.match(/[\^$]/y)) throw this.refuse("^ or $ inside", "they may stand at its two ends");
    if (this.match(/\\[bB]/y)) throw this.refuse("a word boundary", "name the characters on both sides");
    if (this.match(/\\([1-9]|k<)/y)) throw this.refuse("a back reference", "spell out what may be repeated");
    return characters(this.one());
  }

  /** One character or class, outside brackets or inside. */
  private one(): Range[] {
    const named = this.match(/\\([pP])\{([^}]*)\}/y);
    if (named) return property(named[0]);
    const escaped = this.match(/\\u\{([0-9a-f]+)\}|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|\\c([a-z])/iy);
    if (escaped) {
      const [, long, short, byte, control] = escaped;
      return point(control ? control.charCodeAt(0) % 32 : Number.parseInt((long ?? short ?? byte)!, 16));
    }
    const escape = this.take("\\");
    const c = String.fromCodePoint(this.source.codePointAt(this.i)!);
    this.i += c.length;
    if (escape && classes[c]) return classes[c];
    return point((escape ? controls[c] : undefined) ?? c.codePointAt(0)!);
  }

  private set(): Range[] {
    const negated = this.take("^");
    const ranges: Range[] = [];
    while (!this.take("]")) {
      if (this.take("\\b")) {
        ranges.push([8, 8]);
        continue;
      }
      const from = this.one();
      if (this.source[this.i] === "-" && this.source[this.i + 1] !== "]") {
        this.i++;
        ranges.push([from[0]![0], this.one()[0]![1]]);
      } else ranges.push(...from);
    }
    return negated ? complement(ranges) : ranges;
  }
}

const point = (code: number): Range[] => [[code, code]];

/** The characters of \p{…}. */
function property(name: string): Range[] {
  const test = new RegExp(`^${name}$`, "u");
  const ranges: [number, number][] = [];
  for (let code = 0; code <= lastCodePoint; code++) {
    if (!test.test(String.fromCodePoint(code))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  return ranges;
}

const any = repeat(characters([[0, lastCodePoint]]), 0);

/** Texts that have a match in them, as JSON Schema means a pattern. */
export const containing = ({ expression, anchored: [start, end] }: Pattern): Expression =>
  sequence(start ? literal("") : any, expression, end ? literal("") : any);

/** Characters as they may stand in a JSON string. */
export function inJson(ranges: readonly Range[]): Expression {
  const plain = intersection(
    ranges,
    complement([
      [0, 31],
      [34, 34],
      [92, 92],
    ]),
  );
  const escapes = [...Array(32).keys(), 34, 92].filter((code) => ranges.some(([a, b]) => a <= code && code <= b));
  const written = escapes.map((code) => literal(JSON.stringify(String.fromCharCode(code)).slice(1, -1)));
  return choice(...(plain.length ? [characters(plain)] : []), ...written);
}
