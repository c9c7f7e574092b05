/** Adapting is rewriting a model's parameters: each becomes itself, itself frozen, or an expression over new ones. */
import { isParam, nameOf, rewrite, type Tensor } from "../ir/index.js";
import "../ops/index.js";

/** What a parameter becomes. */
export type Adaptation = (w: Tensor) => Tensor;

/** `roots` with every parameter replaced; two leaves of one name become one expression. The given graph stays as it is. */
export function adapt(roots: readonly Tensor[], adaptation: Adaptation): Tensor[] {
  const done = new Map<string, readonly Tensor[]>();
  return rewrite(roots, ({ outputs: [t] }) => {
    if (!isParam(t!)) return undefined;
    const known = done.get(nameOf(t!)) ?? [adaptation(t!)];
    done.set(nameOf(t!), known);
    return known;
  });
}

/** Everything learns. */
export const full: Adaptation = (w) => w;

/** Nothing learns. */
export const freeze: Adaptation = (w) => w.detach();

/** Only the parameters of these names learn. */
export const head =
  (learns: (name: string) => boolean): Adaptation =>
  (w) =>
    learns(nameOf(w)) ? w : freeze(w);
