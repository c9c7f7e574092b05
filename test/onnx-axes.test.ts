/** Models whose rows may be of any number and length: one file answers as the reference engine does at every size. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { constant, f32, i32, input, type Nd, nd, type Program, params, roots } from "../src/ir/index.js";
import { answering, type PortableOptions, portable } from "../src/jobs/portable.js";
import { families } from "../src/models/index.js";
import { initialise, rowPositions } from "../src/nn/index.js";
import { emit, emitModel, serialise, speaks, standIns } from "../src/onnx/index.js";
import { cumsum } from "../src/ops/index.js";
import { prepare } from "../src/passes/index.js";
import { openOnnxFile, reference } from "../src/runtime/index.js";
import { temporary } from "./temporary.js";

const folder = temporary("plinth-axes-");
const names = new Map([
  [1009, "batch"],
  [10_007, "length"],
]);
const run = async (program: Program, feeds: Record<string, Nd>) => {
  const path = join(folder(), "model.onnx");
  await writeFile(path, serialise(emitModel(prepare(program, speaks), { axes: names }).model));
  const file = await openOnnxFile(path);
  const found = await file.run(feeds);
  await file.close();
  return found;
};

test("shapes are computed from the inputs: a product, a few more or less, a row's positions", async () => {
  const x = input("x", f32([1009, 10_007]));
  const outputs = {
    flat: x.reshape([1009 * 10_007]),
    wide: x.reshape([1009, 1, 10_007]).expand([1009, 3, 10_007]),
    tail: x.slice(1, 1, 10_007),
    places: rowPositions(1009, 10_007),
    sums: cumsum(x, { axis: 1 }),
  };
  for (const [B, T] of [
    [1, 1],
    [2, 5],
  ] as const) {
    const values = Array.from({ length: B * T }, (_, i) => i + 1);
    const found = await run({ outputs, next: {} }, { x: nd("f32", [B, T], values) });
    expect(Array.from(found["flat"]!.data, Number)).toEqual(values);
    expect(found["wide"]!.shape).toEqual([B, 3, T]);
    expect(found["tail"]!.shape).toEqual([B, T - 1]);
    expect(Array.from(found["places"]!.data, Number)).toEqual(values.map((_, i) => i % T));
    expect(Number(found["sums"]!.data[T - 1])).toBe((T * (T + 1)) / 2);
  }
});

test("a constant as long as an axis is refused, and so is an axis that no input has", () => {
  const x = input("x", f32([1009, 4]));
  const long = constant(
    Float64Array.from({ length: 1009 }, (_, i) => i),
    f32([1009, 1]),
  );
  expect(() => emit({ outputs: { y: x.mul(long) }, next: {} }, { axes: names })).toThrow(
    /constant: its constant f32\[1009,1\] depends on the length of an axis\n.*give positions and segments as inputs/,
  );
  const other = constant(1, f32([10_007, 1])).expand([10_007, 4]);
  expect(() => emit({ outputs: { y: other }, next: {} }, { axes: names })).toThrow(
    /no input has the axis length\n.*give the model an input of that length/,
  );
});

test("sizes that stand for axes are like no size of the model", () => {
  const { single, pairs } = standIns([1009 * 4, 10_030, 20_000]);
  const all = [single, ...pairs.flatMap(({ first, second }) => [first, second, first + second])];
  expect(new Set(all).size).toBe(7);
  for (const size of [1009 * 4, 10_030, 20_000])
    for (const n of all) {
      expect(size % n).not.toBe(0);
      expect(Math.abs(size - n)).toBeGreaterThan(128);
    }
});

const sizes = { vocabSize: 61, contextLength: 24, layers: 2, heads: 4, hiddenSize: 16, initialDeviation: 0.3 };
const cases: [string, Omit<PortableOptions, "config"> & { readonly config: Record<string, unknown> }][] = [
  ["vectors of a BERT", { family: families.bert, config: sizes, task: "feature-extraction" }],
  ["words of a BERT", { family: families.bert, config: sizes, task: "fill-mask" }],
  [
    "classes of a BERT",
    { family: families.bert, config: sizes, task: "text-classification", classes: 3, pooling: "cls" },
  ],
  [
    "classes of a GPT",
    { family: families.gpt, config: sizes, task: "text-classification", classes: 3, pooling: "last" },
  ],
  ["labels of tokens", { family: families.bert, config: sizes, task: "token-classification", classes: 5 }],
  ["ends of a span", { family: families.bert, config: sizes, task: "question-answering" }],
  [
    "vectors of a Llama",
    { family: families.llama, config: { ...sizes, keyValueHeads: 2, window: 3 }, task: "feature-extraction" },
  ],
];

describe.each(cases)("%s", (_, o) => {
  test("are those of the reference engine at several sizes", async () => {
    const config = o.family.config.parse(o.config);
    const whole = { ...o, config };
    const [{ program, axes }] = portable(whole) as [ReturnType<typeof portable>[number]];
    const weights = initialise(params(roots(program)), 5);
    const path = join(folder(), "family.onnx");
    await writeFile(path, serialise(emitModel(prepare(program, speaks), { axes, weights }).model));
    const file = await openOnnxFile(path);
    await using session = await reference.open(weights);
    for (const [batch, sequence] of [
      [1, 3],
      [3, 7],
    ] as const) {
      const rows = (f: (i: number) => number) => Array.from({ length: batch * sequence }, (_, i) => f(i));
      const given = {
        input_ids: rows((i) => (i * 17 + 5) % 61),
        // the last row is padded
        attention_mask: rows((i) => (batch > 1 && i >= batch * sequence - 2 ? 0 : 1)),
        token_type_ids: rows((i) => (i % sequence > 2 ? 1 : 0)),
      };
      const feeds = (dtype: "i32" | "i64", known: (name: string) => boolean) =>
        Object.fromEntries(
          Object.entries(given)
            .filter(([name]) => known(name))
            .map(([name, values]) => [name, nd(dtype, [batch, sequence], values)]),
        );
      const wanted = answering(whole, { batch, sequence, source: 2 });
      const used = new Set(file.inputs);
      const expected = await session.run(
        wanted,
        feeds("i32", (name) => used.has(name)),
      );
      const found = await file.run(feeds("i64", (name) => used.has(name)));
      for (const [name, value] of Object.entries(expected)) {
        expect(found[name]!.shape).toEqual(value.shape);
        value.data.forEach((x, i) => {
          // what padding computes is nobody's business
          const token = Math.floor(i / (value.data.length / (batch * sequence)));
          if (given.attention_mask[token] || value.shape[1] !== sequence)
            expect(Math.abs(Number(found[name]!.data[i]) - Number(x))).toBeLessThan(1e-4);
        });
      }
    }
    await file.close();
  });
});

test("axes are declared by their names", () => {
  const ids = input("ids", i32([1009, 10_007]));
  const { model } = emitModel({ outputs: { y: ids.add(1) }, next: {} }, { axes: names });
  expect(model.inputs[0]!.shape).toEqual(["batch", "length"]);
  expect(model.outputs[0]!.shape).toEqual(["batch", "length"]);
});
