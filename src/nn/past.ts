/** A cache that is given and handed back: the keys and values of earlier tokens as inputs of a program, with the new ones its outputs. */
import { f32, input, scalar, type Tensor } from "../ir/index.js";
import { attention, concat } from "../ops/index.js";
import { type Cache, earlierMask } from "./cache.js";

export interface PastOptions {
  /** Where earlier tokens stand in their texts: i32 [B S], -1 where a column holds nothing. S may be 0 in a run. */
  readonly positions: Tensor;
  /** Where the new ones stand: i32 [B T]. */
  readonly queries: Tensor;
  /** A source's keys and values that an earlier run made: f32 of this length; those of this run are added. Absent: made in each run. */
  readonly source?: number | undefined;
  /** What an attention's keys and values are called, the number of its layer and what it looks at given. */
  readonly name: (layer: number, of: "self" | "source", part: "key" | "value", when: "past" | "present") => string;
}

/** A cache whose attentions are numbered as they come. `present` takes what each leaves, by name. */
export function pastCache({ positions, queries, source, name }: PastOptions, present: Record<string, Tensor>): Cache {
  const [B, S] = positions.dims("B S");
  const [layers, sources] = [new Map<string, number>(), new Map<string, number>()];
  const longer = (layer: number, of: "self" | "source", length: number, pair: readonly [Tensor, Tensor]) =>
    (["key", "value"] as const).map((part, i) => {
      const [, G, , D] = pair[i]!.dims("B G T D");
      const past = input(name(layer, of, part, "past"), f32([B, G, length, D]));
      const whole = concat([past, pair[i]!], 2);
      present[name(layer, of, part, "present")] = whole;
      return whole;
    }) as [Tensor, Tensor];
  const next = (known: Map<string, number>, path: string) => {
    known.set(path, known.size);
    return known.size - 1;
  };
  return {
    positions,
    attend(path, [q, k, v], { mask, scale, window, bias }) {
      const [keys, values] = longer(next(layers, path), "self", S, [k, v]);
      const earlier = earlierMask({ positions, queries }, window);
      const before = bias ? bias.add(earlier) : earlier;
      return attention(q, keys, values, beside(before, mask ?? scalar(0), k.shape[2]!), { scale })[0];
    },
    keep(path, make) {
      return source === undefined ? make() : longer(next(sources, path), "source", source, make());
    },
  };
}

/** [B H T S] and what is added to the scores of the T new tokens, one after the other. */
function beside(before: Tensor, mask: Tensor, T: number): Tensor {
  const [B, H] = before.shape as [number, number];
  const heads = Math.max(H, mask.shape.length > 3 ? mask.shape[1]! : 1);
  const whole = (x: Tensor, columns: number) => x.expand([B, heads, T, columns]);
  return concat([whole(before, before.shape[3]!), whole(mask, T)], 3);
}
