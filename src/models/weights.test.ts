import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.js";
import { type Nd, nd, type Type } from "../ir/index.js";
import { openModelFolder, writeModelFolder } from "./folder.js";
import { room, spans } from "./safetensors-pieces.js";
import { loadWeights, streamWeights } from "./weights.js";

const folder = temporary("plinth-weights-");
const rows = (n: number, width: number): Nd =>
  nd(
    "f32",
    [n, width],
    Array.from({ length: n * width }, (_, i) => i / 16 - 3),
  );
const values: Record<string, Nd> = { table: rows(13, 4), wide: rows(2, 40), bias: rows(1, 5), one: nd("f32", [], 0.5) };
const types = new Map<string, Type>(Object.entries(values));

test.each(["f32", "f16", "bf16"] as const)("pieces of %s put together are the weights read whole", async (floats) => {
  const path = join(folder(), floats);
  await writeModelFolder(path, { config: {}, types, value: (name) => values[name]!, floats, shardBytes: 300 });
  await using open = await openModelFolder(path);
  const whole = await loadWeights(open, types);
  for (const { name, type, pieces } of streamWeights(open, types, { pieceBytes: 40 })) {
    const put = new Float32Array(whole.get(name)!.data.length);
    const width = type.shape.slice(1).reduce((a, b) => a * b, 1);
    for await (const { at, value } of pieces()) put.set(value.data as Float32Array, at * width);
    expect([...put]).toEqual([...whole.get(name)!.data]);
  }
});

test("pieces are of one shape: where rows do not divide evenly, the last begins earlier", () => {
  const stored = { dtype: "F32", shape: [7, 2], begin: 100, end: 156 } as const;
  expect([...spans(stored, 24)].map(({ at, shape, begin }) => [at, shape, begin])).toEqual([
    [0, [3, 2], 100],
    [3, [3, 2], 124],
    [4, [3, 2], 132],
  ]);
  expect([...spans(stored, 1)]).toHaveLength(7);
  expect([...spans(stored, 56)]).toEqual([{ at: 0, shape: [7, 2], begin: 100, end: 156 }]);
});

test("memory for pieces is used again, and grows for a row that is larger", () => {
  const shared = room(8);
  const first = shared.take(4);
  expect(shared.take(8).buffer).toBe(first.buffer);
  expect(shared.take(20)).toHaveLength(20);
});
