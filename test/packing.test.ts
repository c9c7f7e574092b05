/** Documents packed into rows cost what they cost alone: attention, positions and padding stay apart. */
import { expect, test } from "vitest";
import { type Exact, evaluate, exact, type Nd, nd, params, Scope } from "../src/ir/index.js";
import { type AnyFamily, families, type ModelSizes, presetNamed } from "../src/models/index.js";
import { initialise } from "../src/nn/index.js";
import { languageModelling } from "../src/tasks/language-modelling.js";

interface Document {
  readonly ids: readonly number[];
}
/** Rows of documents one after the other, with labels, weights and restarting positions. */
function rows(documents: readonly (readonly Document[])[], T: number): Record<string, Nd> {
  const B = documents.length;
  const all = {
    ids: [] as number[],
    labels: [] as number[],
    weights: [] as number[],
    segments: [] as number[],
    positions: [] as number[],
  };
  for (const row of documents) {
    const tokens = row.flatMap(({ ids }, d) =>
      ids.map((id, i) => ({ id, next: ids[i + 1], segment: d + 1, place: i })),
    );
    for (let i = 0; i < T; i++) {
      const t = tokens[i];
      // what stands in the padding must not matter
      all.ids.push(t?.id ?? (i * 3) % 11);
      all.labels.push(t?.next ?? 0);
      all.weights.push(t?.next === undefined ? 0 : 1);
      all.segments.push(t?.segment ?? 0);
      all.positions.push(t?.place ?? 0);
    }
  }
  const whole = (values: number[]) => nd("i32", [B, T], values);
  const { ids, labels, weights, segments, positions } = all;
  return {
    ids: whole(ids),
    labels: whole(labels),
    segments: whole(segments),
    positions: whole(positions),
    weights: nd("f32", [B, T], weights),
  };
}

/** Places of every third token of each document, their labels and weights, instead of all of them. */
function masked({ labels, weights, ...rest }: Record<string, Nd>): Record<string, Nd> {
  const chosen = [...weights!.data].flatMap((w, i) =>
    w === 1 && (rest["positions"]!.data[i] as number) % 3 === 1 ? [i] : [],
  );
  const places = [...chosen, 0, 0];
  return {
    ...rest,
    places: nd("i32", [places.length], places),
    labels: nd(
      "i32",
      [places.length],
      places.map((i) => labels!.data[i] as number),
    ),
    weights: nd(
      "f32",
      [places.length],
      places.map((_, i) => (i < chosen.length ? 1 : 0)),
    ),
  };
}

function total(family: AnyFamily, config: ModelSizes, batch: Record<string, Nd>, packed = true): number[] {
  const [B, T] = batch["ids"]!.shape as [number, number];
  const sizes = { batch: B, length: T, packed, ...(batch["places"] && { places: batch["places"].shape[0]! }) };
  const { objective: o } = languageModelling(family, config, { p: new Scope(), ...sizes });
  const state = initialise(params([o.sum]), 9);
  const values = new Map([...state, ...Object.entries(batch)].map(([name, x]): [string, Exact] => [name, exact(x)]));
  return evaluate([o.sum, o.count], values).map((x) => x.data[0]!);
}

const variants = [
  { name: "gpt", family: families.gpt as AnyFamily, more: {} },
  { name: "gpt with rotary positions", family: families.gpt as AnyFamily, more: { positions: "rotary" } },
  { name: "bert", family: families.bert as AnyFamily, more: {} },
];
test.each(variants)(
  "packed documents cost $name what they cost alone, and padding changes nothing",
  ({ family, more }) => {
    const config = family.config.parse({
      vocabSize: 11,
      contextLength: 16,
      layers: 2,
      heads: 2,
      hiddenSize: 8,
      initialDeviation: 0.5,
      ...more,
    }) as ModelSizes;
    const document = (n: number, d: number): Document => ({
      ids: Array.from({ length: n }, (_, i) => (i * (d + 2) + d) % 11),
    });
    const [a, b, c] = [document(5, 0), document(3, 1), document(6, 2)];
    const mask = family.objective === "masked" ? masked : (x: Record<string, Nd>) => x;
    const [alone, trained] = total(family, config, mask(rows([[a], [b], [c]], 6))) as [number, number];
    for (const [layout, T] of [
      [[[a, b, c]], 14],
      [[[a, b, c]], 16],
      [[[c, a], [b]], 16],
      [[[b], [a, c]], 11],
    ] as const) {
      const [sum, count] = total(family, config, mask(rows(layout, T)));
      expect(count).toBe(trained);
      // float64: only the order of additions differs
      expect(Math.abs(sum! / alone - 1)).toBeLessThan(1e-12);
    }
  },
);

test("full rows of one document need no segments and no positions", () => {
  const config = presetNamed("gpt-0.3m").config;
  const batch = rows([[{ ids: [5, 4, 3, 2] }], [{ ids: [1, 6, 1, 8] }]], 4);
  const { segments: _, positions: __, ...rest } = batch;
  expect(total(families.gpt, config, rest, false)[0]).toBeCloseTo(total(families.gpt, config, batch)[0]!, 9);
});
