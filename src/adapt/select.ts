/** Choosing parameters by name. */
import { distance } from "fastest-levenshtein";
import { fail } from "../ir/index.js";

/**
 * A regular expression (or, as text, `/…/flags`), or consecutive whole parts of a name: `attn.c_attn` is in `h.0.attn.c_attn.weight`,
 * and `h.1` is not in `h.10.ln_1.bias`. In parts, `*` stands for anything between dots, `**` for anything, `?` for one character.
 */
export type Pattern = string | RegExp;

/**
 * The names that any pattern matches, in the order of `names`. Throws `target`, with the nearest names, for a pattern that matches
 * none; `what` is what the message calls the names.
 */
export function select(names: readonly string[], patterns: readonly Pattern[], what = "parameter"): Set<string> {
  if (!patterns.length) throw fail("target", `no pattern selects any ${what}`, listed(names, "there are"));
  const tests = patterns.map((pattern) => {
    const test = tester(pattern);
    if (!names.some(test))
      throw fail("target", `no ${what} matches ${pattern}`, listed(nearest(names, pattern), "nearest:"));
    return test;
  });
  return new Set(names.filter((name) => tests.some((test) => test(name))));
}

function tester(pattern: Pattern): (name: string) => boolean {
  const regex = typeof pattern === "string" ? asRegex(pattern) : pattern;
  if (regex) return (name) => name.search(regex) >= 0;
  return (name) => `.${name}.`.includes(`.${pattern}.`);
}

function asRegex(pattern: string): RegExp | undefined {
  const written = /^\/(.+)\/([a-z]*)$/.exec(pattern);
  if (written) {
    try {
      return new RegExp(written[1]!, written[2]);
    } catch (e) {
      throw fail("target", `${pattern} is no regular expression: ${(e as Error).message}`);
    }
  }
  if (!/[*?]/.test(pattern)) return undefined;
  const parts = pattern.split(/(\*\*|\*|\?)/).map((p) => wild[p] ?? p.replace(/[.+^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`(^|\\.)${parts.join("")}(\\.|$)`);
}
const wild: Readonly<Record<string, string>> = { "**": ".*", "*": "[^.]*", "?": "[^.]" };

/** Names that hold something like the pattern, best first; those that differ in numbers only are one, written as a glob. */
function nearest(names: readonly string[], pattern: Pattern): string[] {
  const plain = `${pattern}`.replace(/^\/|\/[a-z]*$/g, "");
  const size = plain.split(".").length;
  const far = (name: string): number => {
    const parts = name.split(".");
    const runs = parts.slice(0, Math.max(1, parts.length - size + 1)).map((_, i) => parts.slice(i, i + size).join("."));
    return Math.min(...runs.map((run) => distance(plain, run)));
  };
  const kinds = new Map(names.map((name) => [name.replace(/(^|\.)\d+(?=\.|$)/g, "$1*"), far(name)]));
  return [...kinds].sort((a, b) => a[1] - b[1]).map(([kind]) => kind);
}
const listed = (names: readonly string[], start: string): string =>
  names.length ? `${start} ${names.slice(0, 4).join(", ")}` : "there are none";
