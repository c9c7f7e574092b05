/** What a run needs against what it is given: every mistake is named before an engine starts. */
import {
  fail,
  inputs,
  type Nd,
  nameOf,
  type Program,
  params,
  roots,
  sameShape,
  show,
  size,
  type Tensor,
  type Type,
} from "../ir/index.js";

type Types = Readonly<Record<string, Type>>;

/** Names and types of what a program is run with, whether or not an engine finds a use for all of it. */
export function leaves(program: Program): { readonly inputs: Types; readonly params: Types } {
  const types = (found: readonly Tensor[]) => Object.fromEntries(found.map((t) => [nameOf(t), t.type]));
  return { inputs: types(inputs(program)), params: types(params(roots(program))) };
}

/** Throws a PlinthError `feed` for a missing, unknown or wrongly typed feed. */
export function checkFeeds(wanted: Types, feeds: Readonly<Record<string, Nd>>): void {
  for (const [name, type] of Object.entries(wanted)) {
    const found = feeds[name];
    if (!found) throw fail("feed", `no value for input ${name}: ${show(type)}`, `feed ${name} at every run`);
    checkValue(`input ${name}`, type, found);
  }
  for (const name of Object.keys(feeds))
    if (!wanted[name])
      throw fail(
        "feed",
        `the program has no input ${name}`,
        `its inputs are ${Object.keys(wanted).join(", ") || "none"}`,
      );
}

/** Throws a PlinthError `feed` for a parameter that the state lacks or holds with another type. */
export function checkState(wanted: Types, state: ReadonlyMap<string, Type>): void {
  for (const [name, type] of Object.entries(wanted)) {
    const found = state.get(name);
    if (!found)
      throw fail("feed", `the state has no parameter ${name}: ${show(type)}`, "open the session with it, or write it");
    if (!same(type, found)) throw fail("feed", `parameter ${name} is ${show(type)}, the state holds ${show(found)}`);
  }
}

/** Throws where host data does not hold what its type says. */
export function checkData(what: string, value: Nd): void {
  if (value.data.length !== size(value.shape))
    throw fail("feed", `${what} is ${show(value)} but holds ${value.data.length} elements`);
}

/** Whether every output that is one f32 number is finite: what a guarded run asks before it writes the state. */
export const isSound = (outputs: Readonly<Record<string, Nd>>): boolean =>
  Object.values(outputs).every((x) => x.dtype !== "f32" || x.shape.length > 0 || Number.isFinite(x.data[0]));

function checkValue(what: string, type: Type, value: Nd): void {
  if (!same(type, value)) throw fail("feed", `${what} is ${show(type)}, got ${show(value)}`);
  checkData(what, value);
}
const same = (a: Type, b: Type): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);
