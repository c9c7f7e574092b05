/** Regular languages over Unicode characters, as a tree. */
export type Expression =
  | { readonly kind: "characters"; readonly ranges: readonly Range[] }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  | { readonly kind: "repeat"; readonly what: Expression; readonly least: number; readonly most: number };
/** Code points from one to another, both included. */
export type Range = readonly [from: number, to: number];

export const lastCodePoint = 0x10ffff;

export const characters = (ranges: readonly Range[]): Expression => ({ kind: "characters", ranges: joined(ranges) });
export const sequence = (...parts: readonly Expression[]): Expression => ({ kind: "sequence", parts });
export const choice = (...options: readonly Expression[]): Expression => ({ kind: "choice", options });
export const repeat = (what: Expression, least: number, most = Infinity): Expression => ({
  kind: "repeat",
  what,
  least,
  most,
});
export const optional = (what: Expression): Expression => repeat(what, 0, 1);
export const nothing = sequence();

/** These characters, one after another. */
export const literal = (text: string): Expression => sequence(...Array.from(text, (c) => oneOf(c)));

/** One of these characters. */
export const oneOf = (text: string): Expression =>
  characters(Array.from(text, (c) => [c.codePointAt(0)!, c.codePointAt(0)!]));

/** Sorted, without overlaps. */
function joined(ranges: readonly Range[]): Range[] {
  const out: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = out.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

/** Every other character. */
export function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let from = 0;
  for (const [a, b] of joined(ranges)) {
    if (a > from) out.push([from, a - 1]);
    from = b + 1;
  }
  if (from <= lastCodePoint) out.push([from, lastCodePoint]);
  return out;
}

/** What is in both. */
export const intersection = (a: readonly Range[], b: readonly Range[]): Range[] =>
  complement([...complement(a), ...complement(b)]);

/** The same language with each set of characters put in another way. */
export function mapCharacters(e: Expression, f: (ranges: readonly Range[]) => Expression): Expression {
  switch (e.kind) {
    case "characters":
      return f(e.ranges);
    case "sequence":
      return sequence(...e.parts.map((part) => mapCharacters(part, f)));
    case "choice":
      return choice(...e.options.map((option) => mapCharacters(option, f)));
    case "repeat":
      return { ...e, what: mapCharacters(e.what, f) };
  }
}
