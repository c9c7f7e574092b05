/** What a decoder keeps of earlier tokens, so that the next one costs one token (the keys and values of each attention). */
import { constant, fail, param, scalar, type Tensor } from "../ir/index.js";
import { attention, concat, where, writeAt } from "../ops/index.js";
import { hidden } from "./attention.js";
import { zeros } from "./init.js";

/** Queries, keys and values, [B H T D], [B G T D] and [B G T E]. */
export type Heads = readonly [q: Tensor, k: Tensor, v: Tensor];

export interface Attending {
  /** Where the new tokens may look among themselves, as numbers added to the scores. */
  readonly mask: Tensor | undefined;
  readonly scale: number;
  /** How many positions a query sees, its own included; all before it if absent. */
  readonly window?: number | undefined;
  /** Added to the scores of earlier tokens, broadcastable to [B H T S]. */
  readonly bias?: Tensor | undefined;
}

/** A model passes it to `attend`, and knows no more of it. */
export interface Cache {
  /** Where the kept columns stand in their texts: i32 [B S], -1 where a column holds nothing. Absent while nothing is kept. */
  readonly positions: Tensor | undefined;
  /** Looks at what is kept and at what is new, which is kept too under the layer's path: to [B H T E]. */
  attend(path: string, heads: Heads, how: Attending): Tensor;
  /** Keys and values that stay as they are, such as those of a source: made once. */
  keep(path: string, make: () => readonly [k: Tensor, v: Tensor]): readonly [k: Tensor, v: Tensor];
}

/**
 * A cache as values of the state: for each attention keys and values [B G C D] of a fixed capacity C. The first run fills the first
 * columns; a later one looks at the first S and writes column `at`, i32 []. `next` takes what the run leaves.
 */
export function stateCache({
  name: cache,
  capacity,
  kept,
  next,
}: {
  /** What the names of its values begin with: texts that are written at the same time have caches of their own. */
  readonly name: string;
  readonly capacity: number;
  /** Absent in the first run. `positions` i32 [B S] of the columns, -1 where there is nothing; `queries` i32 [B T] of the new tokens. */
  readonly kept?: { readonly positions: Tensor; readonly queries: Tensor; readonly at: Tensor } | undefined;
  readonly next: Record<string, Tensor>;
}): Cache {
  const namesOf = (path: string) => ["keys", "values"].map((part) => `${cache}.${path}.${part}`);
  const put = (path: string, pair: readonly [Tensor, Tensor]) => {
    namesOf(path).forEach((name, i) => {
      if (next[name]) throw fail("internal", `two attentions keep their keys under ${path}`);
      next[name] = pair[i]!;
    });
  };
  const held = (path: string, like: readonly [Tensor, Tensor], columns: (x: Tensor) => number) =>
    namesOf(path).map((name, i) => {
      const [B, G, , D] = like[i]!.dims("B G T D");
      return param(name, [B, G, columns(like[i]!), D], zeros);
    }) as [Tensor, Tensor];
  return {
    positions: kept?.positions,
    attend(path, [q, k, v], { mask, scale, window, bias }) {
      const [y, top] = attention(q, k, v, mask ?? scalar(0), { scale });
      if (!kept) {
        put(path, [filled(k, capacity), filled(v, capacity)]);
        return y;
      }
      const before = held(path, [k, v], () => capacity);
      put(path, [writeAt(before[0], kept.at, k, { axis: 2 }), writeAt(before[1], kept.at, v, { axis: 2 })]);
      const S = kept.positions.shape[1]!;
      const [keys, values] = before.map((x) => x.slice(2, 0, S)) as [Tensor, Tensor];
      const seen = earlierMask(kept, window);
      const [older, olderTop] = attention(q, keys, values, bias ? bias.add(seen) : seen, { scale });
      // two softmaxes over parts are one over the whole, each weighted by its sum of exponentials
      const share = olderTop
        .sub(top)
        .sigmoid()
        .reshape([...top.shape, 1]);
      return older.mul(share).add(y.mul(scalar(1).sub(share)));
    },
    keep(path, make) {
      const made = make();
      if (kept) return held(path, made, (x) => x.shape[2]!);
      put(path, made);
      return made;
    },
  };
}

/** Columns up to the capacity, those that are left zero. */
function filled(x: Tensor, capacity: number): Tensor {
  const [B, G, T, D] = x.dims("B G T D");
  if (T > capacity) throw fail("internal", `${T} tokens are more than a cache of ${capacity} holds`);
  if (T === capacity) return x;
  return concat([x, constant(0, { dtype: x.dtype, shape: [B, G, capacity - T, D] })], 2);
}

/** What is added to the scores of earlier tokens, [B 1 T S]: nothing where one is there, not after the query, and near enough. */
export function earlierMask(
  { positions, queries }: { readonly positions: Tensor; readonly queries: Tensor },
  window: number | undefined,
): Tensor {
  const [[B, S], T] = [positions.dims("B S"), queries.shape[1]!];
  const keys = positions.reshape([B, 1, 1, S]);
  const own = queries.reshape([B, 1, T, 1]);
  const there = keys.greater(-1).and(keys.lessEqual(own));
  return where(window === undefined ? there : there.and(own.sub(keys).less(window)), scalar(0), scalar(hidden));
}
